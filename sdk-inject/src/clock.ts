/** A clock and timers, injected so that tests can control them. */
export interface Clock {
  /** Wall time in Unix milliseconds: may be wrong, may jump. */
  now(): number;
  /** Monotonic milliseconds. They never jump, but may stop while the machine sleeps. */
  elapsed(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The server's time: the browser's time plus a measured offset. */
export interface ServerClock {
  now(): number;
  /** Records a response with the time `serverMs` to a request made at these readings. */
  sample(serverMs: number, sent: Reading): void;
  /** The current readings, to pass to {@link sample} with the response. */
  read(): Reading;
  /** Whether wall time and monotonic time have diverged since the last sample: the
   *  machine slept, or its clock was set. */
  jumped(): boolean;
}

export interface Reading {
  wall: number;
  elapsed: number;
}

/** Smaller differences are the ordinary drift of the two clocks. */
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
      if (drift(got, sent) > JUMP_MS) return; // the clock was set, or the machine slept, during the request
      const measured = serverMs - (sent.wall + got.wall) / 2;
      // The true offset is within half a round trip of a sample. Keep the most
      // precise sample until another one contradicts it.
      if (roundTrip <= best || Math.abs(measured - offset) > (roundTrip + best) / 2) {
        best = roundTrip;
        offset = measured;
      }
      last = got;
    },
    jumped: () => drift(read(), last) > JUMP_MS,
  };
}
