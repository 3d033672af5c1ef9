// Turns `import css from "./x.css"` into a string without white space. The values
// of the shared tokens.css are written in where they are used, for light and dark:
// our sheets live in a shadow root, and are not the page's to restyle, except by
// the custom properties named --sessiongate-….
// What the user must be able to read in every supported browser has its colors by a media query:
// light-dark() came to browsers in 2024. Where it is unknown, the chip only loses its hues.
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
      const sheet = readFileSync(file, "utf8");
      const text = minify(
        /(dialog|actions-panel)\.css$/.test(file)
          ? declared(sheet)
          : sheet.replace(/var\((--sg-[\w-]+)\)/g, (_, name) => value(name)),
      );
      return { code: `export default ${JSON.stringify(text)};`, moduleType: "js", map: null };
    },
  };
}

/** The values of a token, light and dark. */
function valuesOf(name) {
  const [light, dark = light] = [...tokens.matchAll(new RegExp(`${name}:\\s*([^;]*);`, "g"))].map(
    (m) => m[1],
  );
  if (!light) throw new Error(`tokens.css has no ${name}`);
  return [light, dark];
}

/** The sheet, with the tokens that it uses in front. */
function declared(sheet) {
  const names = [...new Set(sheet.match(/(?<=var\()--sg-[\w-]+/g) ?? [])];
  const rule = (i) => `.root{${names.map((name) => `${name}:${valuesOf(name)[i]};`).join("")}}`;
  const themeable = sheet.replace(/var\((--sg-[\w-]+)\)/g, (use, name) =>
    themed[name] ? `var(${themed[name]},${use})` : use,
  );
  return `${rule(0)}@media (prefers-color-scheme:dark){${rule(1)}}${themeable}`;
}

function value(name) {
  const [light, dark] = valuesOf(name);
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
    .replace(/="([\w-]+)"]/g, "=$1]")
    .replace(/(^|[^\w.])0\./g, "$1.")
    .replace(/#(\w)\1(\w)\2(\w)\3\b/g, "#$1$2$3")
    .trim();
}
