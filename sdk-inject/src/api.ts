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
  sendBeacon(url: string, body: Blob): boolean;
  serverClock: ServerClock;
  /** Ends with a slash. Default: the gate on the page's origin. */
  base?: string;
  timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

export function createApi({
  fetch,
  sendBeacon,
  serverClock,
  base = GATE_PREFIX,
  timeoutMs = TIMEOUT_MS,
}: ApiEffects): Api {
  // Every call is a POST: a service worker of the app may answer a GET from its cache.
  async function call<T>(path: GatePath, body: object = {}, key?: string): Promise<T> {
    const sent = serverClock.read();
    try {
      const send = (init?: RequestInit, query = "") =>
        fetch(base + path + query, {
          method: "POST",
          headers: { "Content-Type": "application/json", ...(key && { "Idempotency-Key": key }) },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(timeoutMs),
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
          (Number(response.headers.get("Retry-After")) || 0) * 1000,
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
      sendBeacon(`${base}heartbeat`, new Blob([JSON.stringify(body)], { type: "application/json" }));
    },
  };
}
