// preview.js: runs in a frame of the page for site settings. The frame has an origin of its own, and
// the page tells it what to show. The clock, its dialogs and the page of the gate are the real ones.
import { showClock } from "./clock";
import { showPage } from "./page";
import { inScheme, READY, type Scene } from "./scene";

const APP_CSS = `
:root { color-scheme: light dark; }
body { margin: 0; padding: 20px; background: Canvas; }
i { display: block; height: 12px; margin: 0 0 12px; border-radius: 6px; background: #8883; }
i:first-child { width: 42%; height: 22px; margin-bottom: 22px; }
i:nth-child(4n) { width: 64%; }
`;

let dark = false;
let turn = 0;
let remove = () => {};

// All styles come this way, also the SDK's own.
const replace = CSSStyleSheet.prototype.replaceSync;
CSSStyleSheet.prototype.replaceSync = function (css) {
  replace.call(this, inScheme(css, dark));
};
// What is shown is looked at; the person types in the page around it.
HTMLElement.prototype.focus = () => {};

/** Stands for the app that the clock lies over. */
function showApp(language: string): () => void {
  const { documentElement: root, body } = document;
  root.lang = language;
  root.dir = language === "ar" ? "rtl" : "ltr";
  body.replaceChildren(...Array.from({ length: 9 }, () => document.createElement("i")));
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(APP_CSS);
  document.adoptedStyleSheets = [sheet];
  return () => body.replaceChildren();
}

async function show(scene: Scene) {
  const mine = ++turn;
  remove();
  dark = scene.dark;
  if (scene.view === "refused" || scene.view === "maintenance") {
    remove = showPage(scene);
    return;
  }
  const removeApp = showApp(scene.language);
  remove = removeApp;
  const removeClock = await showClock(scene);
  if (mine !== turn) removeClock();
  else
    remove = () => {
      removeClock();
      removeApp();
    };
}

addEventListener("message", ({ source, data }) => {
  if (source === parent && parent !== window) void show(data as Scene);
});
parent.postMessage(READY, "*");
