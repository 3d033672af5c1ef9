// Turns `import css from "./x.css"` into a string: without white space, and with
// `@tokens` replaced by those of ../src/tokens.css that our sheets use.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const src = join(dirname(fileURLToPath(import.meta.url)), "../src");

export function cssText() {
  return {
    name: "css-text",
    enforce: "pre",
    load(id) {
      const file = id.split("?")[0];
      if (!file.endsWith(".css")) return null;
      const sheet = readFileSync(file, "utf8").replace("@tokens;", tokens);
      return { code: `export default ${JSON.stringify(minify(sheet))};`, moduleType: "js", map: null };
    },
  };
}

// A function, because String.replace reads `$` in a replacement.
function tokens() {
  const used = new Set();
  for (const sheet of ["ui/chip.css", "ui/dialog.css"])
    for (const [name] of readFileSync(join(src, sheet), "utf8").matchAll(/--sg-[\w-]+/g)) used.add(name);
  return readFileSync(join(src, "tokens.css"), "utf8")
    .replaceAll(":root", ".root")
    .replace(/(--sg-[\w-]+):[^;]*;/g, (line, name) => (used.has(name) ? line : ""));
}

function minify(css) {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,>]) ?/g, "$1")
    .replace(/: /g, ":")
    .replace(/;}/g, "}")
    .trim();
}
