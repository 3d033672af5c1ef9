import type { TokenClaims } from "./token";

/** Stands before the paths of the gate's API in calls that go to the backend instead. */
export const BACKEND_BASE = "sessiongate:";

export interface BackendEffects {
  fetch: typeof globalThis.fetch;
  /** Without a slash at the end. */
  endpoint: string;
  token: string;
  claims: TokenClaims;
  /** Aborted when the SDK is destroyed. */
  signal: AbortSignal;
}

/**
 * The gate's API over the backend's: what the core asks of the gate, the session
 * service answers, with the launch token as Bearer.
 */
export function backendFetch({ fetch, endpoint, token, claims, signal }: BackendEffects): typeof fetch {
  const own = encodeURIComponent(claims.jti);
  const post = (path: string, init: RequestInit = {}) =>
    fetch(`${endpoint}/api/v1/sessions/${path}`, {
      ...init,
      method: "POST",
      headers: {
        ...(init.headers as Record<string, string>),
        "Content-Type": "application/json",
        Authorization: `Bearer ${token}`,
      },
      body: init.body ?? "{}",
      credentials: "omit",
      // What is said in parting outlives the SDK.
      signal: init.keepalive ? null : AbortSignal.any([signal, ...(init.signal ? [init.signal] : [])]),
    });

  return async (input, init) => {
    const path = String(input).slice(BACKEND_BASE.length);
    if (path !== "session") return post(`${own}/${path}`, init);
    const response = await post("validate", { ...init, body: JSON.stringify({ jti: claims.jti }) });
    if (response.ok) return response;
    const answer = await response.json();
    // Its clock starts when its page asks for that: where there is a gate, it has.
    if (answer.code === "session_pending") return post(`${own}/launch`, init);
    // Paused is no refusal to a page that shows so.
    if (answer.code === "session_paused" && answer.session) return Response.json(answer);
    const { status, headers } = response;
    return Response.json(answer, { status, headers: { "Retry-After": headers.get("Retry-After") ?? "" } });
  };
}
