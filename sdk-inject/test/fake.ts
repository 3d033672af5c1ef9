import type { Clock } from "../src/clock";

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  /** The true time, which servers have. */
  wall = 1_700_000_000_000;
  /** How wrong this browser's clock is. */
  skew = 0;
  #elapsed = 0;
  #timers: { at: number; run: () => void }[] = [];

  now = () => this.wall + this.skew;
  elapsed = () => this.#elapsed;

  setTimeout = (run: () => void, ms: number) => {
    const timer = { at: this.#elapsed + ms, run };
    this.#timers.push(timer);
    return timer;
  };

  clearTimeout = (timer: unknown) => {
    this.#timers = this.#timers.filter((one) => one !== timer);
  };

  get pending(): number {
    return this.#timers.length;
  }

  /** Lets time pass, running what falls due in order, with room for promises between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#pass(due.at);
      this.clearTimeout(due);
      due.run();
      await settle();
    }
    this.#pass(end);
    await settle();
  }

  /** The machine sleeps: wall time goes on, elapsed time and timers do not. */
  sleep(ms: number): void {
    this.wall += ms;
  }

  #pass(to: number) {
    this.wall += to - this.#elapsed;
    this.#elapsed = to;
  }
}

/** Waits until nothing more follows from what has happened. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** How long a test waits for real input and output before it fails. */
const LIMIT_MS = 60_000;

/** Waits for something that real input and output must bring about. */
export async function until(
  condition: () => unknown,
  what = condition.toString(),
  limitMs = LIMIT_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Lets the page's time pass slowly enough for real answers to arrive in it. */
export async function goOn(clock: FakeClock, condition: () => boolean): Promise<void> {
  await until(async () => {
    if (condition()) return true;
    await clock.advance(1_000);
    return condition();
  }, condition.toString());
}
