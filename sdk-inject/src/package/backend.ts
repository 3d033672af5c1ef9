import type { TokenClaims } from "./token";

/** The prefix of gate API paths whose calls go to the backend instead. */
export const BACKEND_BASE = "sessiongate:";

export interface BackendEffects {
  fetch: typeof globalThis.fetch;
  /** Without a trailing slash. */
  endpoint: string;
  token: string;
  claims: TokenClaims;
}

/**
 * A fetch that maps calls of the gate's API to the session service's API, with the launch
 * token as the bearer token. Every call is a POST, which the caches of service workers do not
 * answer.
 */
export function backendFetch({ fetch, endpoint, token, claims }: BackendEffects): typeof fetch {
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
      cache: "no-store",
      credentials: "omit",
    });

  return async (input, init) => {
    const path = String(input).slice(BACKEND_BASE.length);
    if (path !== "session") return post(`${own}/${path}`, init);
    const response = await post("validate", { ...init, body: JSON.stringify({ jti: claims.jti }) });
    if (response.ok) return response;
    // A proxy's error is not JSON.
    const answer = (await response.json().catch(() => 0)) ?? {};
    // Without a gate, this request starts the paid clock.
    if (answer.code === "session_pending") return post(`${own}/launch`, init);
    // The page shows a paused session, so this is not an error.
    const paused = answer.code === "session_paused" && answer.session;
    const { status, headers } = response;
    return new Response(JSON.stringify(answer), {
      status: paused ? 200 : status,
      headers: { "Retry-After": headers.get("Retry-After") ?? "" },
    });
  };
}
