import type { CDPSession } from "playwright-core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

// What the machine and the browser do to a page's time: sleep, freezing, throttling, other
// clocks. The promise: right again soon after it is seen, and right from then on.

const b = useBrowser();
let cdp: CDPSession;

beforeEach(async () => {
  cdp = await b.context.newCDPSession(b.page);
});
afterEach(() => cdp.detach().catch(() => {}));

/** Frozen as a tab in the background may be: no script runs. */
async function freeze(ms: number) {
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, ms));
  await cdp.send("Page.setWebLifecycleState", { state: "active" });
}

test("frozen and thawed", async () => {
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").waitFor();
  await freeze(4000);
  await b.page.waitForTimeout(1000);
  await b.clockIsRight();
});

test("frozen over its deadline, it is over when it thaws", async () => {
  await b.open("seconds=12&total=600&back=off");
  await b.page.getByTestId("session-timer").waitFor({ state: "attached" });
  await freeze(b.gate.session().expires_at * 1000 + 2000 - Date.now());
  await b.page.getByTestId("session-ended").waitFor();
});

test("frozen while time was added elsewhere", async () => {
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").waitFor();
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  b.gate.change({ expires_at: b.gate.session().expires_at + 600, duration_limit_seconds: 1200 });
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await cdp.send("Page.setWebLifecycleState", { state: "active" });
  await b.lookAgain();
  await b.clockIsRight();
});

test("on a processor that is twenty times slower", async () => {
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: 20 });
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.waitForTimeout(3000);
  await b.clockIsRight();
});

test("a machine that slept: wall time went on, timers and the monotonic clock did not", async () => {
  await b.page.addInitScript(() => {
    const { now } = Date;
    Object.assign(window, { slept: 0 });
    Date.now = () => now() + Reflect.get(window, "slept");
  });
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  // Two minutes pass at once, for the machine and for the world.
  await b.page.evaluate(() => Object.assign(window, { slept: 120_000 }));
  b.gate.change({ expires_at: b.gate.session().expires_at - 120 });
  await b.lookAgain();
  await b.clockIsRight();
});

test.each([-86_400_000, 86_400_000])("a clock that jumps by %d ms in the middle", async (jump) => {
  await b.page.addInitScript(() => {
    const { now } = Date;
    Object.assign(window, { skew: 0 });
    Date.now = () => now() + Reflect.get(window, "skew");
  });
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.waitForTimeout(1200);
  await b.page.evaluate((ms) => Object.assign(window, { skew: ms }), jump);
  // The next tick notices; its question is answered at once.
  await b.page.waitForTimeout(1900);
  await b.clockIsRight();
  expect(await b.page.getByTestId("session-ended").count()).toBe(0);
});

test("no tick and no heartbeat while hidden, at most one tick a second while seen", async () => {
  await b.page.addInitScript(() => {
    const timers = { set: 0 };
    Object.assign(window, { timers });
    const { setTimeout: plain, setInterval: repeated } = window;
    window.setTimeout = ((...given: Parameters<typeof plain>) => {
      timers.set++;
      return plain(...given);
    }) as typeof plain;
    window.setInterval = ((...given: Parameters<typeof repeated>) => {
      timers.set += 1000;
      return repeated(...given);
    }) as typeof repeated;
  });
  await b.open("seconds=580");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.waitForTimeout(1200);
  const timers = () => b.page.evaluate(() => Reflect.get(window, "timers").set as number);
  const both = () => b.page.evaluate(() => [Reflect.get(window, "timers").set, performance.now()]);
  const [set, at] = await both();
  await expect.poll(timers, { timeout: PAGE_LIMIT_MS }).toBeGreaterThanOrEqual(set + 4);
  const [setLater, later] = await both();
  // One a second; on a busy machine the first may be late, and the next one comes in time all the same.
  expect(setLater - set, "timers that were set").toBeLessThanOrEqual((later - at) / 1000 + 2);

  // Headless tabs are never hidden: what a browser says then is said for it.
  const see = (state: string) =>
    b.page.evaluate((visibility) => {
      Object.defineProperty(document, "visibilityState", { value: visibility, configurable: true });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    }, state);
  await see("hidden");
  const hidden = await timers();
  const calls = b.gate.calls.length;
  await b.page.waitForTimeout(4000);
  expect((await timers()) - hidden, "timers that were set while hidden").toBe(0);
  expect(b.gate.calls.length).toBe(calls);
  await see("visible");
  await b.page.waitForTimeout(1000);
  await b.clockIsRight();
});
