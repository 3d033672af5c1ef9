import { browserClock } from "../browser";
import type { Clock } from "../clock";
import type { Channel } from "../tabs";
import { outside } from "./zone";

/** The longest delay of setTimeout. It takes a longer one (a Retry-After of a month) for 0. */
export const LONGEST_MS = 2 ** 31 - 1;

/** The browser's clock, with timers that no zone waits for. */
export const clock: Clock = {
  ...browserClock,
  setTimeout: (run, ms) => outside(() => browserClock.setTimeout(run, Math.min(ms, LONGEST_MS))),
};

/** Opens a channel between tabs. Undefined where there are none, or where they are blocked with cookies. */
export function broadcastChannel(name: string): Channel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}

/** 128 random bits. randomUUID is not available on plain HTTP pages. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
