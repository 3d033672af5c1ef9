import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { cssText } from "../../../sdk-inject/scripts/css.mjs";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sdk = here("../../../sdk-inject/src/package/dashboard/dashboard.css");

/** The SDK's components bring their style sheet as text, which they put into the document themselves. */
const sdkStyle = {
  name: "sdk-style",
  enforce: "pre" as const,
  resolveId: (id: string) => (id === "./dashboard.css" ? "\0sdk-style" : undefined),
  load: (id: string) => (id === "\0sdk-style" ? cssText().load(sdk) : undefined),
};

const ui = here("../../../sdk-inject/src");
const preview = here("src/preview/main.ts");

/** The texts of the gate's pages, and those of them that the preview shows. */
const texts = here("../../../caddymodule/pages/texts/");
function shownTexts(json: string): string {
  const { pages, ...rest } = JSON.parse(json);
  const shown = Object.entries(pages).filter(([code]) => /^(session_missing|maintenance|)$/.test(code));
  return JSON.stringify({ ...rest, pages: Object.fromEntries(shown) });
}

/** What the SDK's build writes in place of these names: files of the SDK, which the preview contains. */
const sdkFiles = {
  name: "sdk-files",
  enforce: "pre" as const,
  resolveId(id: string, importer = "") {
    const [, kind = "", language = ""] = /^\.\/__(CHIP|WORDS)_(\w\w)__$/.exec(id) ?? [];
    if (kind) return `${ui}/languages/${kind}-${language}.ts`.toLowerCase().replace(ui.toLowerCase(), ui);
    const [, sheet] = /^\.\/([\w-]+)\.css$/.exec(id) ?? [];
    return sheet && importer.startsWith(`${ui}/ui/`) ? `\0sdk-${sheet}` : undefined;
  },
  /** They come with the preview, and are not loaded when they are wanted. */
  transform(code: string, id: string) {
    if (!id.startsWith(`${ui}/languages`)) return undefined;
    const names = [...code.matchAll(/import\("\.\/(__\w+__)"\)/g)].map(([, name]) => name);
    const imports = names.map((name) => `import * as ${name} from "./${name}";`).join("");
    return { code: imports + code.replace(/import\("\.\/(__\w+__)"\)/g, "Promise.resolve($1)"), map: null };
  },
  load(id: string) {
    if (id.startsWith(texts)) return shownTexts(readFileSync(id, "utf8"));
    const [, sheet] = /^\0sdk-(chip|dialog|actions-panel|site)$/.exec(id) ?? [];
    return sheet ? cssText().load(`${ui}/ui/${sheet}.css`) : undefined;
  },
};

// One script and one style sheet with fixed names: the session service embeds them, and names them
// by their hashes when it serves them.
// The preview is a script of its own, which only the page of the site settings loads.
export default defineConfig(({ mode }) => ({
  plugins: [sdkStyle, sdkFiles],
  resolve: {
    alias: [
      { find: /^react$/, replacement: here("node_modules/preact/compat/dist/compat.mjs") },
      {
        find: /^react\/jsx-runtime$/,
        replacement: here("node_modules/preact/jsx-runtime/dist/jsxRuntime.mjs"),
      },
      { find: /^preact$/, replacement: here("node_modules/preact/dist/preact.mjs") },
    ],
  },
  build: {
    outDir: here("../static"),
    emptyOutDir: false,
    copyPublicDir: false,
    modulePreload: false,
    target: "es2022",
    cssTarget: ["chrome123", "firefox124", "safari17.5"],
    rolldownOptions: {
      input: mode === "preview" ? preview : here("src/main.tsx"),
      output: {
        ...(mode === "preview" && { format: "iife" as const }),
        entryFileNames: mode === "preview" ? "preview.js" : "app.js",
        assetFileNames: "app.[ext]",
        codeSplitting: false,
      },
    },
  },
  test: { include: ["test/*.test.ts"] },
}));
