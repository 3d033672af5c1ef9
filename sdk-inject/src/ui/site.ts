/** site.js: what the provider decided about its clock, and the badge of a session that is not sold.
 *  Loaded only for those who have either. Everything comes from the gate's answer, and what is not
 *  as it must be is left out: the built-in look and words stay. */
import { shadesOf } from "../contrast";
import { returnAddress } from "../format";
import { siteWords } from "../languages/site-words";
import type { ClockTexts, SessionSite, SiteClock } from "../protocol";
import type { PageView } from "../state";
import { wantedLanguages } from "../wanted";
import type { TimerContext } from "./interfaces";
import siteCss from "./site.css";

/** The most characters of a name or a text: MaxSiteText in internal/protocol. */
const MOST = 300;
/** A place that the user chose, as move.js writes it. */
const CHOSEN = /n\(\d/;

/** From now on, each view that the chip shows brings its settings. */
export function start({ el, root, chip, strings, store, addStyles }: TimerContext): void {
  const words = siteWords[strings.language] ?? siteWords.en;
  const { element } = chip;
  const button = element.lastElementChild as HTMLElement;
  const badge = el("em", { "data-testid": "session-mode" });
  const sheet = new CSSStyleSheet();
  const shadow = root.getRootNode() as ShadowRoot;
  let seen: PageView | undefined;
  let place = "";

  addStyles(siteCss);
  shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];

  function dress(view: PageView) {
    const { mode } = view;
    const site = Object(view.site);
    const { app_name, support_url, accent }: Loose<SessionSite> = site;
    // By its name in a string: the property of this name that our own parts have gets a short one.
    const { position, hidden, collapsed, texts }: Loose<SiteClock> = Object(Reflect.get(site, "clock"));
    const { classList } = element;

    const [, top, left] = /^(?:(top)|bottom)-(?:(left)|right)$/.exec(plain(position)) ?? [];
    const { place: chosen, small } = store.read();
    if (place !== `${top} ${left}` && !CHOSEN.test(chosen as string)) element.style.inset = "";
    place = `${top} ${left}`;
    classList.toggle("top", !!top);
    classList.toggle("left", !!left);
    classList.toggle("away", hidden === true);
    classList.toggle("small", small ?? (collapsed === true || mode === "staff"));

    // Whoever works at the app, or tries it, sees that nothing is sold here.
    const kind = words && /^(test|preview|staff)$/.test(plain(mode)) ? words[mode as "test"] : "";
    const named = (name: string) => (kind ? `${name} (${kind})` : name);
    badge.textContent = kind;
    if (kind) button.before(badge);
    else badge.remove();
    element.setAttribute("aria-label", named(strings.timeLeft));
    button.setAttribute("aria-label", named(strings.options));

    const [light, dark] = (shadesOf(accent) ?? []).map(
      ({ fill, ink, text, soft }) =>
        `.root.root{--sessiongate-primary:${text};--sg-accent-soft:${soft};--fill:${fill};--on-fill:${ink}}`,
    );
    sheet.replaceSync(light ? `${light}@media(prefers-color-scheme:dark){${dark}}` : "");
    root.classList.toggle("accent", !!light);

    const name = plain(app_name);
    chip.own = {
      ownName: () => (name ? [el("small", {}, name)] : []),
      ownText(which, ours) {
        const [language, text] = textFor(texts, which);
        if (!text) return;
        ours.textContent = text;
        ours.lang = language;
        ours.dir = "auto";
      },
      supportLink() {
        const href = returnAddress(plain(support_url, 2048));
        const link = {
          class: "link",
          "data-testid": "support-link",
          href,
          target: "_blank",
          rel: "noreferrer",
        };
        return href && words ? [el("a", link, words.support)] : [];
      },
    };
  }

  const { show } = chip;
  chip.show = (state, remaining) => {
    if ("view" in state && state.view !== seen) {
      seen = state.view;
      dress(seen);
    }
    show(state, remaining);
  };
}

/** What a gate of ours says, from a gate that may say anything. */
type Loose<T> = { [name in keyof T]?: unknown };

/** A text that is one and not too long, or an empty one. */
function plain(value: unknown, most = MOST): string {
  // A character is two units at most.
  return typeof value === "string" && value.length <= 2 * most && [...value].length <= most
    ? value.trim()
    : "";
}

/** The provider's text in the page's language: in pt-BR, that for pt-BR, or for pt. */
function textFor(texts: unknown, which: keyof ClockTexts): [language: string, text: string] {
  const own = Object.entries(Object(texts));
  const parts = wantedLanguages()[0]?.toLowerCase().split(/[-_]/) ?? [];
  for (; parts.length; parts.pop()) {
    const [language, said] = own.find(([tag]) => tag.toLowerCase() === parts.join("-")) ?? [];
    const text = plain(Object(said)[which]);
    if (language && text) return [language, text];
  }
  return ["", ""];
}
