// Turns `import css from "./x.css"` into a string without white space. Of the
// shared tokens.css only what our sheets use is kept, on the element inside our
// shadow root instead of the page's, where the page could restyle it.
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ui = join(dirname(fileURLToPath(import.meta.url)), "../src/ui");

export function cssText() {
  return {
    name: "css-text",
    enforce: "pre",
    load(id) {
      const file = id.split("?")[0];
      if (!file.endsWith(".css")) return null;
      const sheet = readFileSync(file, "utf8");
      const text = minify(basename(file) === "tokens.css" ? used(sheet) : sheet);
      return { code: `export default ${JSON.stringify(text)};`, moduleType: "js", map: null };
    },
  };
}

function used(tokens) {
  const names = new Set();
  for (const sheet of ["chip.css", "dialog.css"])
    for (const [name] of readFileSync(join(ui, sheet), "utf8").matchAll(/--sg-[\w-]+/g)) names.add(name);
  return tokens
    .replaceAll(":root", ".root")
    .replace(/(--sg-[\w-]+):[^;]*;/g, (line, name) => (names.has(name) ? line : ""));
}

function minify(css) {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,>]) ?/g, "$1")
    .replace(/: /g, ":")
    .replace(/ !important/g, "!important")
    .replace(/;}/g, "}")
    .trim();
}
