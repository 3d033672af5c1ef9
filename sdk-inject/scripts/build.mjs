// Writes dist/: boot.js (classic), sdk.js and dialog.js (modules). Names carry no
// hash: embed.go fills in hashed names for the __NAME__ tokens when the server starts.
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { cssText } from "./css.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const parts = [
  { input: "src/boot.ts", file: "boot.js", format: "iife" },
  { input: "src/inject.ts", file: "sdk.js", format: "es" },
  { input: "src/ui/dialog.ts", file: "dialog.js", format: "es" },
];

await rm(join(root, "dist"), { recursive: true, force: true });
for (const { input, file, format } of parts) {
  const bundle = await rolldown({
    cwd: root,
    input,
    external: /__[A-Z]+__$/,
    platform: "browser",
    transform: { target: "es2021" },
    plugins: [cssText()],
    treeshake: { moduleSideEffects: false },
  });
  await bundle.write({
    file: join(root, "dist", file),
    format,
    minify: true,
    comments: false,
    codeSplitting: false,
  });
  await bundle.close();
}
