// Formats numbers and times. The language is English; the order of days and months is that of the
// browser's variant of English.
const language = /^en/i.test(globalThis.navigator?.language ?? "") ? navigator.language : "en-GB";

export const number = (n: number): string => n.toLocaleString(language);

const when = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" } as const;
const moments = new Intl.DateTimeFormat(language, when);
const longAgo = new Intl.DateTimeFormat(language, { ...when, year: "numeric" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });
const clocks = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });

export function moment(ms: number, nowMs = Date.now()): string {
  const thisYear = new Date(ms).getFullYear() === new Date(nowMs).getFullYear();
  return (thisYear ? moments : longAgo).format(ms);
}
export const exactly = (ms: number): string => full.format(ms);
export const clock = (ms: number): string => clocks.format(ms);
export const date = (ms: number): string => days.format(ms);

/** "3 minutes ago", "in 2 days", "just now". */
export function ago(ms: number, nowMs = Date.now()): string {
  const seconds = Math.round((nowMs - ms) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  const text = length(Math.abs(seconds), 1);
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

const units = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A duration in its largest units: "1 hour 5 minutes". */
export function length(seconds: number, most = 2): string {
  let rest = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [name, size] of units) {
    const n = Math.floor(rest / size);
    // After the first unit, only the next smaller one is shown.
    if (n === 0 && parts.length === 0) continue;
    if (n > 0) parts.push(`${number(n)} ${name}${n === 1 ? "" : "s"}`);
    rest -= n * size;
    if (n === 0 || parts.length === most) break;
  }
  return parts.join(" ") || "0 seconds";
}

/** For a column: "1:05:00", "45:10". */
export function clockLength(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor((s % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${number(n)} ${n === 1 ? one : many}`;

/** Indents JSON. Other text is returned unchanged. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** "user_ended" as words: "User ended". */
export function words(name: string): string {
  const text = name.replace(/[_.-]+/g, " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Parses a whole number; undefined if it is invalid or out of range. */
export function whole(text: string, least: number, most: number): number | undefined {
  if (!/^\d+$/.test(text.trim())) return undefined;
  const n = Number(text);
  return n >= least && n <= most ? n : undefined;
}

/** Host names from a text area: one a line, or separated by commas. */
export const lines = (text: string): string[] => [...new Set(text.split(/[\s,]+/).filter(Boolean))];
