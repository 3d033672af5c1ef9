import type { ServerClock } from "./clock";
import { GateError } from "./errors";
import type { GatePath, HeartbeatAnswer, HeartbeatRequest, Problem, SessionAnswer } from "./protocol";
import { GATE_PREFIX } from "./protocol";

/** A client of the gate's same-origin API. Each call rejects with a {@link GateError}. */
export interface Api {
  session(): Promise<SessionAnswer>;
  heartbeat(body: HeartbeatRequest): Promise<HeartbeatAnswer>;
  /** Changes the session. Repeating a key repeats no change. */
  change(action: Action, body?: object, idempotencyKey?: string): Promise<SessionAnswer>;
  /** A last heartbeat from a page that is being unloaded. Its response is ignored. */
  sendLastHeartbeat(body: HeartbeatRequest): void;
}

export type Action = Extract<GatePath, "extend" | "pause" | "resume" | "end">;

export interface ApiEffects {
  fetch: typeof fetch;
  /** Missing where a browser or an add-on has it turned off. */
  sendBeacon?: ((url: string, body: Blob) => boolean) | undefined;
  serverClock: ServerClock;
  /** Ends with a slash. Default: {@link gateBase}. */
  base?: string;
  timeoutMs?: number;
}

const JSON_BODY = { type: "application/json" };
const TIMEOUT_MS = 10_000;
/** Bounds of a Retry-After. A CDN's maintenance page may name a month, which no timer can
 *  wait, and no session lasts. */
const LEAST_MS = 1_000;
const MOST_MS = 3_600_000;

/** The gate of the page's own origin. Absolute, because a relative address would follow the page's
 *  `<base>`, or carry the credentials of its URL. A srcdoc frame has its origin in `self` only. */
export const gateBase = () => location.origin.replace(/^null$/, self.origin) + GATE_PREFIX;

/** The milliseconds that a Retry-After asks for, in seconds or as a date; 0 if it says neither. */
export function retryAfterMs(header: string | null, now: number): number {
  const ms = Number(header) * 1000 || Date.parse(header as string) - now;
  return ms > 0 ? Math.max(LEAST_MS, Math.min(MOST_MS, ms)) : 0;
}

/** AbortSignal.timeout, also for browsers without it (before 2022). */
function timeout(ms: number): AbortSignal {
  if (AbortSignal.timeout) return AbortSignal.timeout(ms);
  const aborter = new AbortController();
  setTimeout(() => aborter.abort(), ms);
  return aborter.signal;
}

export function createApi({
  fetch,
  sendBeacon,
  serverClock,
  base = gateBase(),
  timeoutMs = TIMEOUT_MS,
}: ApiEffects): Api {
  // Every call is a POST: a service worker of the app may answer a GET from its cache.
  async function call<T>(path: GatePath, body: object = {}, key?: string, keepalive = false): Promise<T> {
    const sent = serverClock.read();
    try {
      const send = (init?: RequestInit, query = "") =>
        fetch(base + path + query, {
          method: "POST",
          headers: { "Content-Type": JSON_BODY.type, ...(key && { "Idempotency-Key": key }) },
          body: JSON.stringify(body),
          keepalive,
          signal: timeout(timeoutMs),
          ...init,
        });
      let response = await send();
      // A gate of a former version knows the state by GET only.
      if (response.status === 405) response = await send({ method: "GET", body: null }, `?${sent.wall}`);
      const { status } = response;
      const answer: Partial<Problem> & { server_time_ms?: number } =
        (await response.json().catch(() => 0)) ?? {};
      if (!response.ok)
        throw new GateError(
          answer.code ?? `http_${status}`,
          answer,
          status,
          retryAfterMs(response.headers.get("Retry-After"), serverClock.now()),
        );
      const time = answer.server_time_ms;
      if (typeof time !== "number") throw new GateError("invalid_answer", {}, status);
      serverClock.sample(time, sent);
      return answer as T;
    } catch (error) {
      throw error instanceof GateError
        ? error
        : new GateError((error as Error).name === "TimeoutError" ? "timeout" : "network");
    }
  }

  return {
    session: () => call("session"),
    heartbeat: (body) => call("heartbeat", body),
    change: (action, body = {}, key) => call(action, body, key),
    sendLastHeartbeat(body) {
      const blob = new Blob([JSON.stringify(body)], JSON_BODY);
      // A beacon may also be refused, when too many are waiting.
      if (!sendBeacon?.(`${base}heartbeat`, blob)) call("heartbeat", body, "", true).catch(() => {});
    },
  };
}
