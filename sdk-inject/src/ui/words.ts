import type { SayUnit } from "../units";

/** The texts of the warning dialog. The others are in actions-words.ts. */
export interface Words {
  unit: SayUnit;
  left(span: string): string;
  warningTitle: string;
  advice: string;
  price(tokens: number): string;
  moreTime: string;
  end: string;
  close: string;
}

const grouped = (n: number) => `${n}`.replace(/\B(?=(...)+$)/g, ",");

export const en: Words = {
  unit: (n, unit, short) => `${grouped(n)} ${short ? unit.slice(0, 3) : unit + (n === 1 ? "" : "s")}`,
  left: (span) => `${span} left in your session`,
  warningTitle: "Your session ends soon",
  advice: "Save your work.",
  price: (tokens) => (tokens ? `for ${grouped(tokens)} token${tokens === 1 ? "" : "s"}` : "for free"),
  moreTime: "More time",
  end: "End session",
  close: "Close",
};
