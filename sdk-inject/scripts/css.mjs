// Turns `import css from "./x.css"` into a string without white space. The values
// of the shared tokens.css are written in where they are used, for light and dark:
// our sheets live in a shadow root, and are not the page's to restyle, except by
// the custom properties named --sessiongate-….
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const tokens = readFileSync(join(dirname(fileURLToPath(import.meta.url)), "../src/tokens.css"), "utf8");
/** Those that ModalStyles and the page may set. */
const themed = { "--sg-accent": "--sessiongate-primary" };

export function cssText() {
  return {
    name: "css-text",
    enforce: "pre",
    load(id) {
      const file = id.split("?")[0];
      if (!file.endsWith(".css")) return null;
      const text = minify(
        readFileSync(file, "utf8").replace(/var\((--sg-[\w-]+)\)/g, (_, name) => value(name)),
      );
      return { code: `export default ${JSON.stringify(text)};`, moduleType: "js", map: null };
    },
  };
}

function value(name) {
  const [light, dark = light] = [...tokens.matchAll(new RegExp(`${name}:\\s*([^;]*);`, "g"))].map(
    (m) => m[1],
  );
  if (!light) throw new Error(`tokens.css has no ${name}`);
  const both = light === dark ? light : `light-dark(${light},${dark})`;
  return themed[name] ? `var(${themed[name]},${both})` : both;
}

function minify(css) {
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,>]) ?/g, "$1")
    .replace(/(:|\/) /g, "$1")
    .replace(/ \//g, "/")
    .replace(/ !important/g, "!important")
    .replace(/;}/g, "}")
    .replace(/(^|[^\w.])0\./g, "$1.")
    .replace(/#(\w)\1(\w)\2(\w)\3\b/g, "#$1$2$3")
    .trim();
}
