/** A range of UTC days for the analytics API, including the first and the last day. */
export interface Range {
  from: string;
  to: string;
}

export const presets = [
  { id: "7", name: "7 days" },
  { id: "30", name: "30 days" },
  { id: "90", name: "90 days" },
  { id: "365", name: "12 months" },
] as const;

/** The longest range that the service accepts. */
export const MOST_DAYS = 731;
const DAY_MS = 86_400_000;

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
const startOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** The last `days` days, including today. */
export function lastDays(days: number, nowMs: number): Range {
  return { from: dayOf(nowMs - (days - 1) * DAY_MS), to: dayOf(nowMs) };
}

export function lengthOf({ from, to }: Range): number {
  return Math.round((startOf(to) - startOf(from)) / DAY_MS) + 1;
}

/** The range of the same length that ends the day before this range begins. */
export function rangeBefore(range: Range): Range {
  const first = startOf(range.from);
  return { from: dayOf(first - lengthOf(range) * DAY_MS), to: dayOf(first - DAY_MS) };
}

/** The problem with a chosen range, or undefined. */
export function problemOf({ from, to }: Range): string | undefined {
  if (!isDay(from) || !isDay(to)) return "Give a first and a last day.";
  if (from > to) return "The first day is after the last.";
  if (lengthOf({ from, to }) > MOST_DAYS) return `A range has at most ${MOST_DAYS} days.`;
  return undefined;
}

function isDay(text: string): boolean {
  const ms = startOf(text);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(ms) && dayOf(ms) === text;
}

/** The range in a URL's query: `range=30`, or `from` and `to`. Default: 30 days. */
export function rangeOf(query: URLSearchParams, nowMs: number): Range & { preset: string } {
  const own = { from: query.get("from") ?? "", to: query.get("to") ?? "" };
  if (!problemOf(own)) return { ...own, preset: "own" };
  const preset = presets.find(({ id }) => id === query.get("range"))?.id ?? "30";
  return { ...lastDays(Number(preset), nowMs), preset };
}

export interface Comparison {
  direction: "up" | "down" | "same";
  /** For example "12% more than before". */
  text: string;
}

/** Compares a number with the earlier one; undefined if there is nothing to compare. */
export function compare(now: number, before: number): Comparison | undefined {
  if (before === 0) return now === 0 ? undefined : { direction: "up", text: "none before" };
  const change = (now - before) / before;
  const percent = Math.round(Math.abs(change) * 100);
  if (percent === 0) return { direction: "same", text: "as many as before" };
  if (change >= 9.95) return { direction: "up", text: `${Math.round(now / before)} times as many as before` };
  return change > 0
    ? { direction: "up", text: `${percent}% more than before` }
    : { direction: "down", text: `${percent}% less than before` };
}
