/**
 * What the chip says. The dialogs' words are in ui/words.ts and ui/actions-words.ts.
 * English is built in, as what shows when nothing else can be had; every other
 * language is two small files, this one's and `words`, loaded when needed.
 */
export interface Strings {
  language: string;
  timeLeft: string;
  options: string;
  lost: string;
  paused: string;
  /** The dialogs' words; undefined for those that come with the dialogs. */
  words?: () => Promise<{ default: AllWords }>;
}

import type { ActionsWords } from "./ui/actions-words";
import type { Words } from "./ui/words";

export type AllWords = Words & ActionsWords;

export const en: Strings = {
  language: "en",
  timeLeft: "Session time left",
  options: "Session options",
  lost: "Reconnecting…",
  paused: "Paused",
};
