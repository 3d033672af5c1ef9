/**
 * What the chip says; the dialogs' words are in ui/words.ts, in their own file.
 * Another language is a pair of modules of the same shapes, loaded when
 * {@link languageOf} picks it.
 */
export interface Strings {
  language: string;
  dir: "ltr" | "rtl";
  timeLeft: string;
  options: string;
  lost: string;
  paused: string;
  left(span: string): string;
  added(span: string): string;
}

export const en: Strings = {
  language: "en",
  dir: "ltr",
  timeLeft: "Session time left",
  options: "Session options",
  lost: "Reconnecting…",
  paused: "Paused",
  left: (span) => `${span} left in your session`,
  added: (span) => `${span} added`,
};

const known: ReadonlyMap<string, Strings> = new Map([["en", en]]);

/** The first that the page, then the browser, asks for and we have. */
export function languageOf(wanted: readonly string[]): Strings {
  for (const tag of wanted) {
    const found = known.get(tag.toLowerCase().split("-")[0] ?? "");
    if (found) return found;
  }
  return en;
}
