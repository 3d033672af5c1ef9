import { heartbeatDelay, retryDelay } from "./backoff";
import type { Clock } from "./clock";
import type { GateError } from "./errors";

export interface HeartbeatEffects {
  /** Sends one; rejects when it did not arrive. */
  send(): Promise<void>;
  /** Told after each: how many in a row have failed. */
  onResult(failures: number): void;
  clock: Clock;
  random(): number;
  intervalMs: number;
}

/** Sends at its interval while running; after failures sooner, then ever later. */
export function createHeartbeat({ send, onResult, clock, random, intervalMs }: HeartbeatEffects) {
  let timer: unknown;
  let failures = 0;

  const plan = (ms: number) => {
    // An answer that arrives after stop() plans nothing.
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
    /** Keeps the heartbeat that is planned, so that a page that is often focused still
     *  sends one; after failures starts anew, since something may have got better. */
    start() {
      if (timer && !failures) return;
      stop();
      plan(failures ? retryDelay(failures, random()) : heartbeatDelay(intervalMs, random()));
    },
    stop,
  };
}
