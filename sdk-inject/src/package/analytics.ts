import { retryDelay } from "../backoff";
import type { Clock } from "../clock";
import { type Batch, type EventQueue, MOST_BATCHES, type PageEvent } from "./event-queue";

export interface AnalyticsEffects {
  /** Sends a batch. `last` means that the page is being unloaded. Rejects if the batch was not delivered. */
  send(batch: Batch, last: boolean): Promise<void>;
  eventQueue: EventQueue;
  clock: Clock;
  random(): number;
  newKey(): string;
}

/** A batch is sent this long after its first event, or when it has this many events. */
const FLUSH_MS = 10_000;
const BATCH = 50;

/**
 * Collects events and sends them in batches. A batch keeps its idempotency key until it is
 * delivered, by this page or by the next page of the session.
 */
export function createAnalytics({ send, eventQueue, clock, random, newKey }: AnalyticsEffects) {
  let queue = eventQueue.take();
  let timer: unknown;
  let failures = 0;
  let sending = false;

  const plan = (ms: number) => {
    timer ??= clock.setTimeout(() => {
      timer = undefined;
      void flush();
    }, ms);
  };

  /** Returns false if the batch must be sent again. */
  async function deliver(batch: Batch, last: boolean): Promise<boolean> {
    batch.tried = true;
    try {
      await send(batch, last);
    } catch (error) {
      const { status = 0 } = error as { status?: number };
      // Other 4xx responses are final: a retry would not help.
      if (status < 400 || status > 499 || status === 429) return false;
    }
    queue = queue.filter((one) => one !== batch);
    eventQueue.drop(batch);
    return true;
  }

  async function flush(): Promise<void> {
    const batch = queue[0];
    if (sending || !batch) return;
    sending = true;
    if (await deliver(batch, false)) failures = 0;
    else {
      failures++;
      eventQueue.put(queue);
    }
    sending = false;
    if (queue[0]) plan(failures ? retryDelay(failures, random()) : FLUSH_MS);
  }

  // Batches that an earlier page did not deliver.
  for (const batch of queue) batch.tried = true;
  if (queue[0]) plan(0);

  return {
    add(event: PageEvent) {
      let last = queue.at(-1);
      if (!last || last.tried || last.events.length === BATCH) {
        last = { key: newKey(), events: [] };
        queue = [...queue, last].slice(-MOST_BATCHES);
      }
      last.events.push(event);
      if (last.events.length === BATCH) void flush();
      else plan(FLUSH_MS);
    },
    flush,
    /** Sends everything, because the page is being unloaded. */
    leave() {
      clock.clearTimeout(timer);
      timer = undefined;
      eventQueue.put(queue);
      for (const batch of queue) void deliver(batch, true);
    },
  };
}
