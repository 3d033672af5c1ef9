import { newKey } from "./platform";
import { isLaunchToken, type TokenClaims } from "./token";

/** The prefix of gate API paths whose calls go to the backend instead. */
export const BACKEND_BASE = "sessiongate:";

export interface BackendEffects {
  fetch: typeof globalThis.fetch;
  /** Without a trailing slash. */
  endpoint: string;
  /** A launch token, or the session token that has taken its place. */
  token: string;
  claims: TokenClaims;
  /** Keeps the session token that takes the place of the launch token. */
  keep(token: string): void;
}

/**
 * A fetch that maps calls of the gate's API to the session service's API. The first call redeems
 * the launch token, which is worth nothing afterwards; the session token of the response is the
 * bearer token of all others. Every call is a POST, which the caches of service workers do not
 * answer.
 */
export function backendFetch({ fetch, endpoint, token, claims, keep }: BackendEffects): typeof fetch {
  // The same for each try, so that a lost response does not cost the session.
  const key = newKey();
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
    const launch = isLaunchToken(token);
    // Without a gate, redeeming the token starts the paid clock.
    const response = launch
      ? await post(`${own}/launch`, {
          ...init,
          headers: { ...(init?.headers as object), "Idempotency-Key": key },
        })
      : await post("validate", { ...init, body: JSON.stringify({ jti: claims.jti }) });
    if (response.ok && !launch) return response;
    // A proxy's error is not JSON.
    const answer = (await response.json().catch(() => 0)) ?? {};
    // A service of a former version goes on with the launch token.
    token = answer.session_token ?? token;
    keep(token);
    // The page shows a paused session, so this is not an error.
    const paused = answer.code === "session_paused" && answer.session;
    const { status, headers } = response;
    return new Response(JSON.stringify(answer), {
      status: paused ? 200 : status,
      headers: { "Retry-After": headers.get("Retry-After") ?? "" },
    });
  };
}
