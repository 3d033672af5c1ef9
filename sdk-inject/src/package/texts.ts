/** texts: the app's own texts, over the built-in languages. Loaded only where they are configured. */
import type { AllWords, Strings } from "../strings";
import { en as actionsWords } from "../ui/actions-words";
import { en as dialogWords } from "../ui/words";
import type { Texts, TextsByLanguage } from "./texts-config";

/** The limit on the length of a text, in UTF-16 code units. */
export const LONGEST = 200;

type Fill = (text: string, values: Record<string, string>) => string;
/** Replaces the placeholders of a text. */
const fill: Fill = (text, values) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? `${values[name]}` : whole,
  );

type OfStrings = (strings: Strings, text: string) => void;
type OfWords = (words: AllWords, text: string) => void;

const clockTexts = new Map<string, OfStrings>([
  [
    "timeLeft",
    (s, text) => {
      s.timeLeft = text;
    },
  ],
  [
    "options",
    (s, text) => {
      s.options = text;
    },
  ],
  [
    "reconnecting",
    (s, text) => {
      s.lost = text;
    },
  ],
  [
    "paused",
    (s, text) => {
      s.paused = text;
    },
  ],
]);

const dialogTexts = new Map<string, OfWords>([
  [
    "warningTitle",
    (w, text) => {
      w.warningTitle = text;
    },
  ],
  [
    "warningText",
    (w, text) => {
      w.advice = text;
    },
  ],
  [
    "warningAnnouncement",
    (w, text) => {
      w.left = (time) => fill(text, { time });
    },
  ],
  [
    "price",
    (w, text) => {
      w.price = (tokens) => fill(text, { tokens: `${tokens}` });
    },
  ],
  [
    "moreTime",
    (w, text) => {
      w.moreTime = text;
    },
  ],
  [
    "endSession",
    (w, text) => {
      w.end = text;
    },
  ],
  [
    "close",
    (w, text) => {
      w.close = text;
    },
  ],
  [
    "added",
    (w, text) => {
      w.added = (time) => fill(text, { time });
    },
  ],
  [
    "panelTitle",
    (w, text) => {
      w.panelTitle = text;
    },
  ],
  [
    "pause",
    (w, text) => {
      w.pause = text;
    },
  ],
  [
    "move",
    (w, text) => {
      w.move = text;
    },
  ],
  [
    "hideTime",
    (w, text) => {
      w.collapse = text;
    },
  ],
  [
    "showTime",
    (w, text) => {
      w.expand = text;
    },
  ],
  [
    "confirmTitle",
    (w, text) => {
      w.confirmTitle = text;
    },
  ],
  [
    "confirmText",
    (w, text) => {
      w.confirmText = (time) => fill(text, { time });
    },
  ],
  [
    "keepGoing",
    (w, text) => {
      w.keepGoing = text;
    },
  ],
  [
    "saving",
    (w, text) => {
      w.saving = text;
    },
  ],
  [
    "pausedTitle",
    (w, text) => {
      w.pausedTitle = text;
    },
  ],
  [
    "pausedText",
    (w, text) => {
      w.pausedText = (time) => fill(text, { time });
    },
  ],
  [
    "resume",
    (w, text) => {
      w.resume = text;
    },
  ],
  [
    "endedTitle",
    (w, text) => {
      w.endedTitle = text;
    },
  ],
  [
    "endedCompleted",
    (w, text) => {
      w.ended = { ...w.ended, completed: text };
    },
  ],
  [
    "endedExpired",
    (w, text) => {
      w.ended = { ...w.ended, expired: text };
    },
  ],
  [
    "endedRevoked",
    (w, text) => {
      w.ended = { ...w.ended, revoked: text };
    },
  ],
  [
    "endedCanceled",
    (w, text) => {
      w.ended = { ...w.ended, canceled: text };
    },
  ],
  [
    "endedElsewhere",
    (w, text) => {
      w.ended = { ...w.ended, gone: text };
    },
  ],
  [
    "redirecting",
    (w, text) => {
      w.redirecting = (place, time) => fill(text, { place, time });
    },
  ],
  [
    "goNow",
    (w, text) => {
      w.goNow = (place) => fill(text, { place });
    },
  ],
  [
    "closeTab",
    (w, text) => {
      w.closeTab = text;
    },
  ],
  [
    "stay",
    (w, text) => {
      w.stay = text;
    },
  ],
  [
    "insufficientTokens",
    (w, text) => {
      w.insufficient = text;
    },
  ],
  [
    "consentNeeded",
    (w, text) => {
      w.consent = text;
    },
  ],
  [
    "consentLink",
    (w, text) => {
      w.consentLink = (place) => fill(text, { place });
    },
  ],
  [
    "noAnswer",
    (w, text) => {
      w.lostAnswer = text;
    },
  ],
  [
    "failed",
    (w, text) => {
      w.failed = text;
    },
  ],
] satisfies [keyof Texts, OfWords][]);

/** Returns the texts that can be used, and warns of the others. */
function checked(tag: string, texts: object, warn: (why: string) => void): [string, string][] {
  return Object.entries(texts).filter(([name, text]: [string, unknown]) => {
    if (text === undefined) return false;
    const where = `texts.${tag.slice(0, 20)}.${name.slice(0, 40)}`;
    if (!clockTexts.has(name) && !dialogTexts.has(name)) warn(`${where} is not the name of a text.`);
    else if (typeof text !== "string" || !text.trim()) warn(`${where} is not a text.`);
    else if (text.length > LONGEST) warn(`${where} is longer than ${LONGEST} characters.`);
    else if (/\p{Cc}/u.test(text)) warn(`${where} contains a control character.`);
    else return true;
    return false;
  }) as [string, string][];
}

/** The tags whose texts apply to a language, the general one first: `de`, then `de-AT`. */
function tagsFor(wanted: string, texts: TextsByLanguage): string[] {
  const [language = ""] = wanted.toLowerCase().split("-");
  return Object.keys(texts)
    .filter((tag) => [language, wanted.toLowerCase()].includes(tag.toLowerCase()))
    .sort((a, b) => a.length - b.length);
}

/** Returns the language to show: the first wanted one that is built in or has texts of the app. */
export async function withTexts(
  texts: TextsByLanguage,
  wanted: readonly string[],
  stringsFor: (wanted: readonly string[]) => Promise<Strings>,
  warn: (why: string) => void,
): Promise<Strings> {
  for (const tag of [...wanted, "en"]) {
    const base = await stringsFor([tag]);
    const [language = ""] = tag.toLowerCase().split("-");
    const tags = tagsFor(tag, texts);
    if (base.language !== language && !tags.length) continue;
    const own = tags.flatMap((one) => checked(one, texts[one] ?? {}, warn));
    const { words } = base;
    const strings: Strings = {
      ...base,
      language: base.language === language ? language : tag,
      words: async () => {
        const english = { ...dialogWords, ...actionsWords };
        const all = { ...((await words?.().catch(() => undefined))?.default ?? english) };
        for (const [name, text] of own) dialogTexts.get(name)?.(all, text);
        return { default: all };
      },
    };
    for (const [name, text] of own) clockTexts.get(name)?.(strings, text);
    return strings;
  }
  return stringsFor([]);
}
