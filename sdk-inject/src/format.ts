/** The remaining time as the chip shows it: "9:42", "1:02:09". Rounded up, so that 0:00 means over. */
export function formatClock(ms: number): string {
  const all = Math.max(0, Math.ceil(ms / 1000));
  const pad = (n: number) => `${n}`.padStart(2, "0");
  const hours = Math.floor(all / 3600);
  const minutes = Math.floor(all / 60) % 60;
  return `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(all % 60)}`;
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
