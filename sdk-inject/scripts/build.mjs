// Writes dist/: boot.js (classic) and the parts that it loads (modules). Names carry no
// hash: embed.go fills in hashed names for the __NAME__ tokens when the server starts.
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { minify } from "terser";
import { cssText } from "./css.mjs";
import { closed, only, ours } from "./names.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const languages = ["de", "fr", "es", "pt", "ja", "zh", "ar"];
const parts = [
  { input: "src/boot.ts", file: "boot.js", format: "iife" },
  { input: "src/inject.ts", file: "sdk.js", format: "es" },
  { input: "src/ui/dialog.ts", file: "dialog.js", format: "es" },
  { input: "src/ui/actions-panel.ts", file: "actions.js", format: "es" },
  { input: "src/ui/move.ts", file: "move.js", format: "es" },
  { input: "src/ui/site.ts", file: "site.js", format: "es" },
  { input: "src/languages.ts", file: "languages.js", format: "es" },
  { input: "src/integrity.ts", file: "integrity.js", format: "es" },
  ...languages.flatMap((tag) => [
    { input: `src/languages/chip-${tag}.ts`, file: `chip-${tag}.js`, format: "es" },
    { input: `src/languages/words-${tag}.ts`, file: `words-${tag}.js`, format: "es" },
  ]),
];

const nameCache = {};

const built = new Map();
for (const { input, file, format } of parts) {
  const bundle = await rolldown({
    cwd: root,
    input,
    external: /__[A-Z_]+__$/,
    platform: "browser",
    transform: { target: "es2021" },
    plugins: [cssText()],
    treeshake: { moduleSideEffects: false },
  });
  // Shorter names come once, from terser, which also shortens properties.
  const { output } = await bundle.generate({
    format,
    minify: { compress: true, mangle: false },
    comments: false,
    codeSplitting: false,
  });
  await bundle.close();
  const { code } = await minify(output[0].code, {
    module: format === "es",
    ecma: 2020,
    // What came out smallest, of many tried.
    compress: {
      passes: 2,
      inline: 1,
      hoist_funs: true,
      lhs_constants: false,
      unsafe_arrows: true,
      // No object of ours is compared, and no property is read for what reading it does.
      unsafe_comps: true,
      pure_getters: true,
    },
    mangle: { properties: { regex: only([...ours, ...closed]), builtins: true } },
    // The parts call one another: what is renamed in one is in all.
    nameCache,
  });
  built.set(file, code);
}

// Go may embed dist/ at any moment: a file that is the same is left alone, and another one is
// replaced at once.
const dist = join(root, "dist");
await mkdir(dist, { recursive: true });
for (const [file, code] of built) {
  if ((await readFile(join(dist, file), "utf8").catch(() => undefined)) === code) continue;
  const written = join(root, "node_modules", `.${file}`);
  await writeFile(written, code);
  await rename(written, join(dist, file));
}
for (const file of await readdir(dist)) if (!built.has(file)) await rm(join(dist, file), { recursive: true });
