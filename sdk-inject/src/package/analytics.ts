import { retryDelay } from "../backoff";
import type { Clock } from "../clock";

/** What a page noticed. No personal data. */
export interface PageEvent {
  name: string;
  /** The browser's clock, in Unix milliseconds. */
  at: number;
  props?: Record<string, string>;
}

export interface AnalyticsEffects {
  /** Sends a batch; the same key again means the same batch. Rejects when it did not arrive. */
  send(events: PageEvent[], key: string): Promise<void>;
  /** Sends what is left from a page that is going; nobody waits. */
  farewell(events: PageEvent[], key: string): void;
  clock: Clock;
  random(): number;
  newKey(): string;
}

/** Sent this long after the first of a batch, or when so many have gathered. */
const FLUSH_MS = 10_000;
const BATCH = 50;
/** While the server can't be reached the oldest go first. */
const MOST_KEPT = 500;

/** Gathers events and sends them in batches, each under one key until it has arrived. */
export function createAnalytics({ send, farewell, clock, random, newKey }: AnalyticsEffects) {
  const waiting: PageEvent[] = [];
  let batch: { events: PageEvent[]; key: string } | undefined;
  let timer: unknown;
  let failures = 0;
  let sending = false;

  const plan = (ms: number) => {
    timer ??= clock.setTimeout(() => {
      timer = undefined;
      void flush();
    }, ms);
  };

  async function flush(): Promise<void> {
    if (sending) return;
    batch ??= waiting.length ? { events: waiting.splice(0, BATCH), key: newKey() } : undefined;
    if (!batch) return;
    sending = true;
    try {
      await send(batch.events, batch.key);
      batch = undefined;
      failures = 0;
    } catch (error) {
      failures++;
      const { status = 0 } = error as { status?: number };
      // Refused for good: asking again would not help.
      if (status >= 400 && status < 500 && status !== 429) batch = undefined;
    }
    sending = false;
    if (batch || waiting.length) plan(failures ? retryDelay(failures, random()) : FLUSH_MS);
  }

  return {
    add(event: PageEvent) {
      waiting.push(event);
      if (waiting.length > MOST_KEPT) waiting.shift();
      if (waiting.length >= BATCH) void flush();
      else plan(FLUSH_MS);
    },
    flush,
    /** The page goes, perhaps for good. */
    leave() {
      clock.clearTimeout(timer);
      timer = undefined;
      if (batch && !sending) farewell(batch.events, batch.key);
      if (waiting.length) farewell(waiting.splice(0, 100), newKey());
      batch = undefined;
    },
  };
}
