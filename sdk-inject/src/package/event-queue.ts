/** What a page noticed. No personal data. */
export interface PageEvent {
  name: string;
  /** The browser's clock, in Unix milliseconds. */
  at: number;
  props?: Record<string, string>;
}

/** Events that go out together, under one idempotency key however often they are sent. */
export interface Batch {
  key: string;
  events: PageEvent[];
  /** Sent or kept before: nothing is added any more. */
  tried?: boolean;
}

/** Where batches wait for the next page of their session. */
export interface EventQueue {
  /** Keeps these, beside those of other tabs. */
  put(batches: Batch[]): void;
  drop(batch: Batch): void;
  /** Hands out all there is, and keeps none. */
  take(): Batch[];
}

const NAME = "sessiongate-events";
/** The oldest go first. */
export const MOST_BATCHES = 10;
/** The server knows a key for 24 hours: later the same batch would count twice. */
const STALE_MS = 20 * 3_600_000;

/** Over localStorage, which may be blocked or full: then nothing outlives the page. */
export function createEventQueue(storage: () => Storage, session: string, now: () => number): EventQueue {
  const read = (): Batch[] => {
    try {
      const kept = JSON.parse(storage().getItem(NAME) as string);
      return kept.session === session
        ? kept.batches.filter(({ events }: Batch) => Math.abs(now() - (events[0]?.at ?? 0)) < STALE_MS)
        : [];
    } catch {
      return [];
    }
  };
  const write = (batches: Batch[]) => {
    try {
      if (batches.length)
        storage().setItem(NAME, JSON.stringify({ session, batches: batches.slice(-MOST_BATCHES) }));
      else storage().removeItem(NAME);
    } catch {}
  };
  const others = (than: Batch[]) => read().filter(({ key }) => !than.some((one) => one.key === key));
  return {
    put(batches) {
      if (batches.length) write([...others(batches), ...batches]);
    },
    drop: (batch) => write(others([batch])),
    take() {
      const all = read();
      write([]);
      return all;
    },
  };
}
