/** The browser's time and timers, injected so that tests can own them. */
export interface Clock {
  /** Wall time in Unix milliseconds: may be wrong, may jump. */
  now(): number;
  /** Milliseconds since some moment, which never jump but may stand still in sleep. */
  elapsed(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The server's time: the browser's plus a measured offset. */
export interface ServerClock {
  now(): number;
  /** Feeds in an answer that said `serverMs` and was asked for at these readings. */
  sample(serverMs: number, sent: Reading): void;
  /** Both readings of now, to be handed to {@link sample} with the answer. */
  read(): Reading;
  /** Whether wall time and elapsed time have parted since the last sample: the
   *  machine slept, or someone set its clock. */
  jumped(): boolean;
}

export interface Reading {
  wall: number;
  elapsed: number;
}

/** Shorter partings are the two clocks' ordinary drift. */
const JUMP_MS = 1500;

export function createServerClock(clock: Clock): ServerClock {
  const read = () => ({ wall: clock.now(), elapsed: clock.elapsed() });
  let offset = 0;
  let best = Number.POSITIVE_INFINITY;
  let last = read();
  const drift = (a: Reading, b: Reading) => Math.abs(a.wall - b.wall - (a.elapsed - b.elapsed));

  return {
    read,
    now: () => clock.now() + offset,
    sample(serverMs, sent) {
      const got = read();
      const roundTrip = Math.max(0, got.elapsed - sent.elapsed);
      if (drift(got, sent) > JUMP_MS) return; // set or slept between question and answer
      const measured = serverMs - (sent.wall + got.wall) / 2;
      // The true offset lies within half a round trip of a sample. So the
      // tightest sample is kept, until another one contradicts it.
      if (roundTrip <= best || Math.abs(measured - offset) > roundTrip / 2 + best / 2) {
        best = roundTrip;
        offset = measured;
      }
      last = got;
    },
    jumped: () => drift(read(), last) > JUMP_MS,
  };
}
