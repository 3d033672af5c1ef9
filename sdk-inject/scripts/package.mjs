// Writes lib/: the npm package @marketplace/provider-sdk, from the same core as dist/.
//   *.js            ES modules; the dialogs and languages load when needed
//   *.cjs           the same for require()
//   marketplace-sdk.umd.js   for a script tag: one file, also at the short address that a CDN
//                            gives the package; other languages than English are languages.js
//   *.d.ts, *.d.cts types, one file for each entry
// --report writes the API reports (api/*.md) anew; without it they are compared.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig } from "@microsoft/api-extractor";
import { rolldown } from "rolldown";
import { minify } from "terser";
import { cssText } from "./css.mjs";
import { only, open, ours } from "./names.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const lib = join(root, "lib");
const names = ["index", "react", "vue", "next", "dashboard", "stats", "server"];
/** Those that React's server components may import, and not run. */
const forClients = ["react", "next", "dashboard"];
const report = process.argv.includes("--report");

rmSync(lib, { recursive: true, force: true });
mkdirSync(lib);

/** The gate fills in names of files; here the bundler does. */
const parts = {
  name: "parts",
  resolveId(id) {
    const [, kind, language] = /__(CHIP|WORDS)_([A-Z]+)__$/.exec(id) ?? [];
    if (kind) return join(root, `src/languages/${kind.toLowerCase()}-${language.toLowerCase()}.ts`);
  },
};
/** The one file of the script tag has no other languages in it. */
const languagesBeside = {
  name: "languages-beside",
  resolveId(id, importer) {
    if (id === "../languages" && importer?.endsWith("package/ui.ts"))
      return join(root, "src/package/languages-beside.ts");
  },
};

const regex = only(ours.filter((name) => !open.includes(name)));
// Fixed, so that all three bundles and any two builds agree.
const nameCache = {
  props: {
    props: Object.fromEntries(ours.map((name, i) => [`$${name}`, `_${i.toString(36)}`])),
  },
};
const short = {
  name: "short",
  async renderChunk(code, { isEntry, name }, { format }) {
    const made = await minify(code, {
      // Bundling drops the directive of the modules; Next.js reads it from the entry.
      format: { preamble: isEntry && forClients.includes(name) ? '"use client";' : "" },
      module: format === "es",
      toplevel: format !== "umd",
      ecma: 2020,
      compress: { passes: 2, inline: 1, hoist_funs: true, lhs_constants: false, unsafe_arrows: true },
      mangle: { properties: { regex, builtins: true } },
      nameCache,
      sourceMap: { asObject: true },
    });
    return { code: made.code, map: made.map };
  },
};

async function bundle(input, plugins, output) {
  const build = await rolldown({
    cwd: root,
    input,
    external: ["react", "react/jsx-runtime", "vue"],
    platform: "browser",
    transform: { target: "es2022" },
    plugins: [...plugins, cssText(), short],
    treeshake: { moduleSideEffects: false },
  });
  await build.write({
    dir: lib,
    minify: { compress: true, mangle: false },
    comments: false,
    sourcemap: true,
    ...output,
  });
  await build.close();
}

const entries = {
  ...Object.fromEntries(
    names.map((name) => [name, `src/package/${name}.${name === "dashboard" ? "tsx" : "ts"}`]),
  ),
  languages: "src/languages.ts",
};
// What every page loads is one file, also where what is seen uses it, too.
const shared = "api|browser|clock|errors|format|heartbeat|protocol|session|state|store|tabs";
const core =
  "sdk|token|access|backend|breaker|causes|check-config|events|address|connection|page|platform|open";
const codeSplitting = {
  groups: [
    // What the statistics need, too, which need no session.
    { name: "base", test: /src\/(backoff|package\/(cancel|errors|signals|zone))\.ts$/ },
    {
      name: "core",
      test: new RegExp(`src/(${shared}|package/(${core}))\\.ts$`),
    },
  ],
};
await bundle(entries, [parts], {
  format: "es",
  entryFileNames: "[name].js",
  chunkFileNames: "parts/[name]-[hash].js",
  codeSplitting,
});
await bundle(entries, [parts], {
  format: "cjs",
  exports: "named",
  entryFileNames: "[name].cjs",
  chunkFileNames: "parts/[name]-[hash].cjs",
  codeSplitting,
});
await bundle({ "marketplace-sdk": "src/package/index.ts" }, [languagesBeside], {
  format: "umd",
  // It is known only while the script runs for the first time.
  intro:
    'const SCRIPT = typeof document === "object" && document.currentScript && document.currentScript.src;',
  name: "MarketplaceSDK",
  exports: "named",
  entryFileNames: "[name].umd.js",
  codeSplitting: false,
});

for (const name of forClients)
  for (const kind of ["js", "cjs"])
    if (!readFileSync(join(lib, `${name}.${kind}`), "utf8").startsWith('"use client"'))
      throw new Error(`${name}.${kind} does not begin with "use client"`);

const types = join(lib, ".types");
const tsc = join(root, "node_modules/typescript/bin/tsc");
execFileSync(process.execPath, [tsc, "-p", "tsconfig.package.json", "--outDir", types], {
  cwd: root,
  stdio: "inherit",
});
let failed = false;
for (const name of names) {
  const config = ExtractorConfig.prepare({
    configObjectFullPath: join(root, "api-extractor.json"),
    packageJsonFullPath: join(root, "package.json"),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(types, `package/${name}.d.ts`),
      compiler: { tsconfigFilePath: join(root, "tsconfig.package.json"), skipLibCheck: true },
      apiReport: {
        enabled: true,
        reportFolder: join(root, "api"),
        reportTempFolder: join(lib, ".api"),
        reportFileName: `${name}.api.md`,
        includeForgottenExports: false,
      },
      docModel: { enabled: true, apiJsonFilePath: join(lib, `.api/${name}.api.json`) },
      dtsRollup: { enabled: true, untrimmedFilePath: join(lib, `${name}.d.ts`) },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: {
          default: { logLevel: "warning" },
          "ae-forgotten-export": { logLevel: "none" },
          "ae-wrong-input-file-type": { logLevel: "none" },
          "ae-missing-release-tag": { logLevel: "none" },
          "ae-unresolved-link": { logLevel: "none" },
        },
        tsdocMessageReporting: { default: { logLevel: "warning" } },
      },
    },
  });
  mkdirSync(join(root, "api"), { recursive: true });
  const result = Extractor.invoke(config, {
    localBuild: report,
    messageCallback(message) {
      if (message.messageId === "console-compiler-version-notice" || message.logLevel === "verbose")
        message.handled = true;
    },
  });
  failed ||= !result.succeeded;
  const text = readFileSync(join(lib, `${name}.d.ts`), "utf8");
  writeFileSync(join(lib, `${name}.d.cts`), text);
}
cpSync(join(lib, ".api"), join(root, "node_modules/.api"), { recursive: true });
rmSync(types, { recursive: true });
rmSync(join(lib, ".api"), { recursive: true });
process.exit(failed ? 1 : 0);
