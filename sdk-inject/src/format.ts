/** The remaining time as the chip shows it: "9:42", "1:02:09". Rounded up, so that 0:00 means over. */
export function formatClock(ms: number): string {
  const all = Math.max(0, Math.ceil(ms / 1000));
  const pad = (n: number) => `${n}`.padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  return `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(all % 60)}`;
}

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

/**
 * The URL to open when a session has ended: its return URL with the session's id.
 * Empty if there is none or it is not an HTTP URL.
 */
export function returnAddress(returnUrl: string | undefined, sessionId?: string): string {
  try {
    const url = new URL(returnUrl ?? "");
    if (!/^https?:$/.test(url.protocol)) return "";
    // A string operation, because URLSearchParams would re-encode the marketplace's own parameters.
    if (sessionId && !url.searchParams.has("session_id"))
      url.search += `${url.search ? "&" : "?"}session_id=${encodeURIComponent(sessionId)}`;
    return url.href;
  } catch {
    return "";
  }
}
