/** telemetry: reports of errors to an address of the provider's choice. Loaded only where it is configured. */
import type { Clock } from "../clock";
import { AuthError, NetworkError, type SDKError, ValidationError } from "./errors";

/** What a report contains about errors of one kind. Nothing else about the page, its user or the session. */
export interface ErrorReport {
  code: string;
  kind: "network" | "validation" | "auth" | "other";
  status: number;
  /** `error`: of a call. `heartbeat`: of a heartbeat. */
  source: "error" | "heartbeat";
  /** How many since the last report. */
  count: number;
}

export interface TelemetryEffects {
  /** Sends a body, and ignores whether it arrives. */
  send(body: string): void;
  sampleRate: number;
  random(): number;
  clock: Clock;
  /** Whether the browser asks that nothing is shared (Global Privacy Control). */
  isPrivate(): boolean;
}

/** Reports are sent together, this long after the first error. */
const FLUSH_MS = 10_000;
/** The limits on requests: of a page in a minute, and in its life. */
const MOST_A_MINUTE = 4;
const MOST_A_PAGE = 60;
/** The limit on different errors in one report. Further ones are dropped. */
const MOST_KINDS = 20;

export interface Telemetry {
  add(source: ErrorReport["source"], error: SDKError): void;
  /** Sends what is waiting, because the page is being unloaded. */
  leave(): void;
}

export function createTelemetry(effects: TelemetryEffects): Telemetry {
  const { send, sampleRate, random, clock, isPrivate } = effects;
  const chosen = random() < sampleRate;
  const waiting = new Map<string, ErrorReport>();
  let timer: unknown;
  let sentAt: number[] = [];
  let sent = 0;

  function flush() {
    clock.clearTimeout(timer);
    timer = undefined;
    const now = clock.elapsed();
    sentAt = sentAt.filter((at) => now - at < 60_000);
    if (!waiting.size || sentAt.length >= MOST_A_MINUTE || sent >= MOST_A_PAGE || isPrivate()) {
      // What is beyond the limit is dropped, so that a page that fails for hours stays silent.
      waiting.clear();
      return;
    }
    sentAt.push(now);
    sent++;
    const errors = [...waiting.values()];
    waiting.clear();
    try {
      send(JSON.stringify({ version: 1, errors }));
    } catch {} // A failing endpoint changes nothing.
  }

  return {
    add(source, error) {
      if (!chosen || isPrivate() || sent >= MOST_A_PAGE) return;
      const { code, statusCode: status = 0 } = error;
      const key = [source, code, status].join();
      const known = waiting.get(key);
      if (known) known.count++;
      else if (waiting.size < MOST_KINDS)
        waiting.set(key, { code, kind: kindOf(error), status, source, count: 1 });
      timer ??= clock.setTimeout(flush, FLUSH_MS);
    },
    leave: flush,
  };
}

function kindOf(error: SDKError): ErrorReport["kind"] {
  if (error instanceof NetworkError) return "network";
  if (error instanceof ValidationError) return "validation";
  return error instanceof AuthError ? "auth" : "other";
}
