export type Unit = "hour" | "minute" | "second";

/**
 * Formats a number of units as Intl.NumberFormat does, "5 minutes", without it: the first
 * number that Intl formats in a process blocks for 12 ms and more. Hours have no short form.
 */
export type SayUnit = (n: number, unit: Unit, short?: boolean) => string;

/** Whole minutes, or else seconds: "10 minutes", "45 seconds"; short: "10 min". */
export function formatUnit(seconds: number, say: SayUnit, short?: boolean): string {
  return seconds % 60 ? say(seconds, "second", short) : say(seconds / 60, "minute", short);
}

/** A duration in words: "1 hour 30 minutes". */
export function formatSpan(seconds: number, say: SayUnit): string {
  let rest = Math.max(0, Math.ceil(seconds));
  let said = "";
  for (const [unit, size] of [
    ["hour", 3600],
    ["minute", 60],
    ["second", 1],
  ] as const) {
    const n = Math.floor(rest / size);
    rest %= size;
    if (n || (size === 1 && !said)) said += ` ${say(n, unit)}`;
  }
  return said.trim();
}
