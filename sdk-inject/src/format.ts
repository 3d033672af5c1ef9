/** What is left as the chip shows it: "9:42", "1:02:09". Rounded up, so that 0:00 means over. */
export function formatClock(ms: number): string {
  const all = Math.max(0, Math.ceil(ms / 1000));
  const pad = (n: number) => `${n}`.padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  return `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(all % 60)}`;
}

/** A number of hours, minutes or seconds in words: "5 min", or long: "5 minutes". */
export function formatUnit(n: number, unit: string, language: string, unitDisplay: "short" | "long"): string {
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay }).format(n);
}

/** A length of time in words: "10 min", "1 hr 30 min", or long: "10 minutes". */
export function formatSpan(seconds: number, language: string, display: "short" | "long"): string {
  const all = Math.max(0, Math.ceil(seconds));
  const parts: [number, string][] = [
    [Math.floor(all / 3600), "hour"],
    [Math.floor(all / 60) % 60, "minute"],
    [all % 60, "second"],
  ];
  const said = parts.filter(([n], i) => n || (!all && i === 2));
  return said.map(([n, unit]) => formatUnit(n, unit, language, display)).join(" ");
}

/**
 * Where to go when a session is over: its return address with the session's id.
 * Empty when there is none or it is no web address.
 */
export function returnAddress(returnUrl: string | undefined, sessionId?: string): string {
  try {
    const url = new URL(returnUrl ?? "");
    if (!/^https?:$/.test(url.protocol)) return "";
    // By hand: URLSearchParams would respell the marketplace's own parameters.
    if (sessionId && !url.searchParams.has("session_id"))
      url.search += `${url.search ? "&" : "?"}session_id=${encodeURIComponent(sessionId)}`;
    return url.href;
  } catch {
    return "";
  }
}
