import pageCss from "../../../../../caddymodule/pages/refusal.css?raw";
import template from "../../../../../caddymodule/pages/refusal.html?raw";
import { shadesOf } from "../../../../../sdk-inject/src/contrast";
import tokens from "../../../static/tokens.css?raw";
import { dataOf } from "./data";
import type { Scene } from "./scene";
import { print } from "./template";

/** Shows a page of the gate, by the gate's own template. Returns a function that removes it. */
export function showPage(scene: Scene): () => void {
  // Its styles are in the sheet below: the preview's policy allows no element for them.
  const text = print(template, dataOf(scene)).replace(/<style>.*<\/style>/s, "");
  const made = new DOMParser().parseFromString(text, "text/html");
  const { documentElement: root, body } = document;
  root.lang = made.documentElement.lang;
  root.dir = made.documentElement.dir;
  body.replaceChildren(...made.body.childNodes);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(tokens + pageCss + colorsOf(scene));
  document.adoptedStyleSheets = [sheet];
  return () => {
    body.replaceChildren();
    document.adoptedStyleSheets = [];
  };
}

/** The provider's colors, as the gate adds them to the page. */
function colorsOf({ site, dark }: Scene): string {
  const { fill, ink, text, soft } = shadesOf(site.brand.accent)?.[dark ? 1 : 0] ?? {};
  if (!fill) return "";
  return `:root{--sg-accent:${text};--sg-accent-fill:${fill};--sg-accent-ink:${ink};--sg-accent-soft:${soft}}`;
}
