/**
 * The texts of the chip. Those of the dialogs are in ui/words.ts and ui/actions-words.ts.
 * English is built in, as the fallback. Each other language has two small files, one for
 * the chip and one for the dialogs, loaded when needed.
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
