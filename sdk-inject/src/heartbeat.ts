import { heartbeatDelay, retryDelay } from "./backoff";
import type { Clock } from "./clock";
import type { GateError } from "./errors";

export interface HeartbeatEffects {
  /** Sends a heartbeat. Rejects if it failed. */
  send(): Promise<void>;
  /** Called after each with the number of failures in a row. */
  onResult(failures: number): void;
  clock: Clock;
  random(): number;
  intervalMs: number;
}

/** Sends heartbeats at an interval. After a failure it retries sooner, then with backoff. */
export function createHeartbeat({ send, onResult, clock, random, intervalMs }: HeartbeatEffects) {
  let timer: unknown;
  let failures = 0;

  const plan = (ms: number) => {
    // A response after stop() schedules nothing.
    const mine = clock.setTimeout(async () => {
      let delay: number;
      try {
        await send();
        failures = 0;
        delay = heartbeatDelay(intervalMs, random());
      } catch (error) {
        failures++;
        delay = (error as GateError).retryAfterMs || retryDelay(failures, random());
      }
      if (mine !== timer) return;
      onResult(failures);
      if (mine === timer) plan(delay);
    }, ms);
    timer = mine;
  };

  const stop = () => {
    clock.clearTimeout(timer);
    timer = undefined;
  };
  return {
    /** Keeps the scheduled heartbeat, so that a page that is often focused still sends one.
     *  After failures it tries again immediately. */
    start() {
      if (timer && !failures) return;
      stop();
      plan(failures ? retryDelay(failures, random()) : heartbeatDelay(intervalMs, random()));
    },
    stop,
  };
}
