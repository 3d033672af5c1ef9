import type { Problem, SessionView } from "../protocol";
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
  const sessions = `${endpoint}/api/v1/sessions`;
  const post = (path: string, init: RequestInit | undefined, body?: unknown) => {
    const signals = [signal, init?.signal].filter((one) => !!one);
    return fetch(`${sessions}/${path}`, {
      ...init,
      method: "POST",
      headers: {
        ...(init?.headers as Record<string, string>),
        "Content-Type": "application/json",
        Authorization: `Bearer ${token}`,
      },
      body: body === undefined ? (init?.body ?? "{}") : JSON.stringify(body),
      credentials: "omit",
      signal: AbortSignal.any(signals),
    });
  };

  /** The view that a page needs and a refusal does not bring. */
  function paused(problem: Problem & { session?: SessionView }): SessionView {
    const now = Math.floor(Date.now() / 1000);
    return (
      problem.session ?? {
        id: claims.jti,
        provider_id: claims.provider_id ?? "",
        status: "paused",
        version: 0,
        expires_at: claims.exp ?? now,
        paused_at: now,
        duration_limit_seconds: (claims.exp ?? 0) - (claims.iat ?? 0),
        tokens_allocated: claims.tokens_allocated ?? 0,
        return_url: claims.return_url ?? "",
        pause: { max_count: 0, max_seconds: 0 },
      }
    );
  }

  return async (input, init) => {
    const path = String(input).slice(BACKEND_BASE.length);
    const own = encodeURIComponent(claims.jti);
    if (path !== "session") return post(`${own}/${path}`, init);
    const response = await post("validate", init, { jti: claims.jti });
    const answer = await response.json();
    if (answer.code === "session_paused")
      return json({ session: paused(answer), server_time_ms: Date.now() });
    if (!response.ok) return json(answer, response.status, response.headers);
    // A server that does not say the time here says it to a sign of life.
    const { server_time_ms } = answer.server_time_ms
      ? answer
      : await (await post(`${own}/heartbeat`, init, { active: true })).json();
    return json({ ...answer, server_time_ms });
  };
}

function json(body: unknown, status = 200, headers?: Headers): Response {
  const retryAfter = headers?.get("Retry-After");
  return new Response(JSON.stringify(body), {
    status,
    headers: retryAfter ? { "Retry-After": retryAfter } : {},
  });
}
