import { expect, test, vi } from "vitest";
import { stringsFor } from "../../src/languages";
import { withTexts } from "../../src/package/texts";
import type { Texts, TextsByLanguage } from "../../src/package/texts-config";

async function texts(given: object, ...wanted: string[]) {
  const warn = vi.fn();
  const strings = await withTexts(given as TextsByLanguage, wanted, stringsFor, warn);
  const words = (await strings.words?.())?.default;
  if (!words) throw new Error("no words");
  return { strings, words, warned: warn.mock.calls.map(([why]) => String(why)) };
}

test("texts of the app replace built-in ones of their language, and the others stay", async () => {
  const { strings, words, warned } = await texts(
    {
      en: { moreTime: "Stay longer", paused: "On hold", confirmText: "You lose {time}." },
      de: { moreTime: "Mehr" },
    },
    "en",
  );
  expect([strings.language, strings.paused, strings.lost]).toEqual(["en", "On hold", "Reconnecting…"]);
  expect([words.moreTime, words.end, words.confirmText("5 minutes")]).toEqual([
    "Stay longer",
    "End session",
    "You lose 5 minutes.",
  ]);
  expect(warned).toEqual([]);
});

test("a built-in language keeps its own words for what the app leaves out", async () => {
  const { strings, words } = await texts({ de: { moreTime: "Länger bleiben" } }, "de-AT", "en");
  expect([strings.language, strings.paused, words.moreTime, words.resume]).toEqual([
    "de",
    "Pausiert",
    "Länger bleiben",
    "Fortsetzen",
  ]);
});

test("texts of a region go over those of its language", async () => {
  const given = {
    "de-AT": { moreTime: "Länger bleibn" },
    de: { moreTime: "Länger bleiben", pause: "Pause" },
  };
  const { words } = await texts(given, "de-at");
  expect([words.moreTime, words.pause]).toEqual(["Länger bleibn", "Pause"]);
  expect((await texts(given, "de-CH")).words.moreTime).toBe("Länger bleiben");
});

test("a language that is not built in is shown where the app has texts for it, with English for the rest", async () => {
  const { strings, words } = await texts({ nl: { moreTime: "Meer tijd" } }, "nl", "de");
  expect([strings.language, words.moreTime, words.end]).toEqual(["nl", "Meer tijd", "End session"]);
  expect((await texts({ nl: { moreTime: "Meer tijd" } }, "sv", "de")).strings.language).toBe("de");
});

test("built-in languages are not changed by the texts of one app", async () => {
  await texts({ de: { paused: "Halt", endedExpired: "Vorbei" } }, "de");
  const { strings, words } = await texts({ fr: {} }, "de");
  expect([strings.paused, words.ended.expired]).toEqual(["Pausiert", "Ihre Zeit ist abgelaufen."]);
});

test("placeholders are filled in, each as often as it is written; others stay", async () => {
  const { words } = await texts(
    {
      en: {
        redirecting: "{place} in {time}, {time}! {other}",
        price: "{tokens} coins",
        endedElsewhere: "Elsewhere",
      },
    },
    "en",
  );
  expect(words.redirecting("shop.example", "5 s")).toBe("shop.example in 5 s, 5 s! {other}");
  expect([words.price(7), words.ended.gone]).toEqual(["7 coins", "Elsewhere"]);
});

test.each([
  ["an unknown name", { tittle: "x" }, "texts.en.tittle is not the name of a text."],
  ["a name of Object", { constructor: "x" }, "texts.en.constructor is not the name of a text."],
  ["a number", { moreTime: 7 }, "texts.en.moreTime is not a text."],
  ["a function", { moreTime: () => "x" }, "texts.en.moreTime is not a text."],
  ["nothing but space", { moreTime: "  " }, "texts.en.moreTime is not a text."],
  ["201 characters", { moreTime: "x".repeat(201) }, "texts.en.moreTime is longer than 200 characters."],
  ["a control character", { moreTime: "a\u0000b" }, "texts.en.moreTime contains a control character."],
])("%s is left out, with a warning", async (_, given, why) => {
  const { words, warned } = await texts({ en: given }, "en");
  expect(words.moreTime).toBe("More time");
  expect(warned).toEqual([why]);
});

test("200 characters and markup are text as they are written", async () => {
  const markup = `<img src=x onerror=alert(1)>${"x".repeat(172)}`;
  const { words, warned } = await texts({ en: { moreTime: markup } }, "en");
  expect([words.moreTime, warned]).toEqual([markup, []]);
});

/** All that a part of the interface can say. What formats a time or an amount is no text. */
function spoken(part: object): string[] {
  const say = ([name, value]: [string, unknown]): string[] => {
    if (name === "endsAt" || name === "unit") return [];
    if (typeof value === "function") return [String(value("1", "2", "3"))];
    if (value && typeof value === "object") return Object.entries(value).flatMap(say);
    return [String(value)];
  };
  return Object.entries(part).flatMap(say);
}

const all: Record<keyof Texts, true> = {
  timeLeft: true,
  options: true,
  reconnecting: true,
  paused: true,
  warningTitle: true,
  warningText: true,
  warningAnnouncement: true,
  price: true,
  moreTime: true,
  endSession: true,
  close: true,
  added: true,
  panelTitle: true,
  pause: true,
  move: true,
  hideTime: true,
  showTime: true,
  confirmTitle: true,
  confirmText: true,
  keepGoing: true,
  saving: true,
  pausedTitle: true,
  pausedText: true,
  resume: true,
  endedTitle: true,
  endedCompleted: true,
  endedExpired: true,
  endedRevoked: true,
  endedCanceled: true,
  endedElsewhere: true,
  redirecting: true,
  goNow: true,
  closeTab: true,
  stay: true,
  insufficientTokens: true,
  consentNeeded: true,
  consentLink: true,
  noAnswer: true,
  failed: true,
};

test.each(Object.keys(all))("the text %s takes the place of one of the built-in ones", async (name) => {
  const { strings, words, warned } = await texts({ en: { [name]: "the app's own" } }, "en");
  const own = spoken({ strings: { ...strings, words: "" }, words }).filter(
    (text) => text === "the app's own",
  );
  expect([own.length, warned]).toEqual([1, []]);
});
