import ar from "../../../../../caddymodule/pages/texts/ar.json";
import de from "../../../../../caddymodule/pages/texts/de.json";
import en from "../../../../../caddymodule/pages/texts/en.json";
import es from "../../../../../caddymodule/pages/texts/es.json";
import fr from "../../../../../caddymodule/pages/texts/fr.json";
import pt from "../../../../../caddymodule/pages/texts/pt.json";
import type { Scene } from "./scene";

interface Texts {
  dir: string;
  shop: string;
  retry: string;
  buy?: string;
  support?: string;
  expected?: string;
  units: string[];
  pages: Record<string, string[]>;
}
const all: Record<string, Texts> = { ar, de, en, es, fr, pt };

/** Where the link to the marketplace leads in a preview. */
const MARKETPLACE = "https://marketplace.example/";

/** The data of a page of the gate, as the gate has it for a visitor without a session. */
export function dataOf({ view, language, name, site }: Scene) {
  const lang = language in all ? language : "en";
  const texts = all[lang] as Texts;
  const code = view === "maintenance" ? "maintenance" : "session_missing";
  const [title = "", text = ""] = texts.pages[code] ?? texts.pages[""] ?? [];
  const { brand, maintenance } = site;
  const closed = view === "maintenance";
  const app = brand.app_name || name;
  return {
    Code: code,
    Title: title,
    Text: text,
    Tone: "calm",
    Back: closed ? "" : brand.shop_url || MARKETPLACE,
    BackLabel: texts.shop,
    RetryLabel: closed ? texts.retry : "",
    ResumeTo: "",
    ResumeAction: "",
    Lang: lang,
    Dir: texts.dir,
    App: app,
    Initial: [...app][0]?.toUpperCase() ?? "",
    Logo: brand.logo_url,
    Message: closed ? maintenance.message : "",
    Expected:
      closed && maintenance.until ? (texts.expected ?? "").replace("{left}", `2 ${texts.units[1]}`) : "",
    Shop: closed ? brand.shop_url : "",
    ShopLabel: texts.buy ?? texts.shop,
    Support: brand.support_url,
    SupportLabel: texts.support ?? "",
    Style: "",
  };
}
