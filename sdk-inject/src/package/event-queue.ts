/** An event on the page. Contains no personal data. */
export interface PageEvent {
  name: string;
  /** When it happened by the browser's clock, in Unix milliseconds. */
  at: number;
  props?: Record<string, string>;
}

/** Events that are sent together. Retries use the same idempotency key. */
export interface Batch {
  key: string;
  events: PageEvent[];
  /** Whether it was sent or stored before. Then it takes no more events. */
  tried?: boolean;
}

/** Stores batches for the next page of the session. */
export interface EventQueue {
  /** Stores these batches, in addition to those of other tabs. */
  put(batches: Batch[]): void;
  drop(batch: Batch): void;
  /** Removes and returns all stored batches. */
  take(): Batch[];
}

const NAME = "sessiongate-events";
/** The limit on stored batches. The oldest are dropped first. */
export const MOST_BATCHES = 10;
/** The server remembers a key for 24 hours. After that, a batch would count twice. */
const STALE_MS = 20 * 3_600_000;

/** Creates a queue in localStorage. If that is blocked or full, events are lost with the page. */
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
