import type { SayUnit, Unit } from "../units";

// Formats numbers and times as Intl does, without its formatters (see SayUnit). Plural forms
// come from Intl, where they are cheap.

type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

const separators: Record<string, string> = { de: ".", es: ".", pt: ".", fr: "\u202f" };

/** A whole number, in groups of three digits; Spanish leaves four digits together. */
export function grouped(language: string, n: number): string {
  return language === "es" && n < 1e4
    ? `${n}`
    : `${n}`.replace(/\B(?=(...)+$)/g, separators[language] ?? ",");
}

/** A number in words, in the plural form that the language has for it; `{}` stands for the number.
 *  None may have a form of its own ("for free") in any language. */
export function counted(language: string, n: number, forms: Forms): string {
  const form = (!n && forms.zero) || forms[new Intl.PluralRules(language).select(n)];
  return (form ?? forms.other).replace("{}", grouped(language, n));
}

/** Hours, minutes and seconds of a language. The short forms are the same for every number. */
export function units(
  language: string,
  long: Record<Unit, Forms>,
  short: Record<"minute" | "second", string>,
): SayUnit {
  return (n, unit, brief) =>
    counted(language, n, brief && unit !== "hour" ? { other: short[unit] } : long[unit]);
}

const minutes = (date: Date) => `${date.getMinutes()}`.padStart(2, "0");

/** A time of day: "14:05"; with digits 2, "09:05" in the morning, else "9:05". */
export function time24(date: Date, digits = 1): string {
  return `${`${date.getHours()}`.padStart(digits, "0")}:${minutes(date)}`;
}

/** A time of day in two halves: "2:05 PM". */
export function time12(date: Date, am: string, pm: string): string {
  return `${date.getHours() % 12 || 12}:${minutes(date)}\u00a0${date.getHours() < 12 ? am : pm}`;
}
