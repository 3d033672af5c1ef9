import { expect, type Page, test } from "@playwright/test";
import { ALLOWANCE_S, beforeItEnds, buy, PATIENCE_MS, read, start, type System } from "./system.ts";

// A session of fifteen seconds in a real browser: entered, seen, cut, settled.

let system: System;

test.beforeAll(async () => {
  system = await start();
});

test.afterAll(() => system.stop());

/** What the page tells of the ends of its connections. */
interface End {
  code?: number;
  reason?: string;
  at: number;
}
const ends = new Map<string, End>();

test("fifteen seconds: the clock, the WebSocket and the event stream end together", async ({ page }) => {
  test.setTimeout(1_200_000); // for a machine that needs minutes
  await page.exposeFunction("tell", (name: string, end: End) => ends.set(name, end));
  // A machine that was busy at the end makes one session late. A fault makes each of them late.
  for (let tries = 3, late = Infinity; late > 1 + ALLOWANCE_S; tries--) {
    expect(tries, `the last one was ${late} s late`).toBeGreaterThan(0);
    await beforeItEnds(
      async (seconds) => {
        const used = await useUp(page, `fifteen-${tries}-${seconds}`, seconds);
        late = used ?? late;
        return used !== undefined;
      },
      15,
      60,
      240,
    );
  }
});

/**
 * Buys a session and uses it up. Returns how late its connections ended, in seconds, or undefined if
 * the session was over before they were open.
 */
async function useUp(page: Page, user: string, seconds: number): Promise<number | undefined> {
  const sold = await buy(system, { user, seconds, tokens: 30, clock: "launch" });
  ends.clear();
  try {
    await page.goto(sold.launch_url.replace("/?", "/live?"));
    expect(page.url()).toBe(`${system.app}/live`);
    const timer = page.getByTestId("session-timer");
    await expect(timer).toBeVisible();
    await expect(timer).toContainText(/^\d:\d\d/);
    expect(await page.evaluate(() => document.cookie)).not.toContain("session_gate"); // out of scripts' reach
    await page.evaluate(connect);
  } catch (error) {
    if ((await read(system, sold.session.id)).status === "active") throw error;
    return undefined;
  }
  // The screen leads back after a moment: it is looked for before it comes.
  await page.getByTestId("session-ended").waitFor({ timeout: 1000 * seconds + PATIENCE_MS });
  await expect.poll(() => [...ends.keys()].sort()).toEqual(["feed", "socket"]);
  const [socket, feed] = [ends.get("socket"), ends.get("feed")] as [End, End];
  expect(socket.code).toBe(4401);
  expect(socket.reason).toBe("session_expired");
  const { expires_at } = await read(system, sold.session.id);
  const late = [socket.at, feed.at].map((at) => at / 1000 - expires_at);
  expect(Math.min(...late)).toBeGreaterThan(-0.5);
  await page.waitForURL(`${system.marketplace}/session/complete?session_id=${sold.session.id}`);
  await expect.poll(async () => (await read(system, sold.session.id)).settlement?.captured).toBe(30);
  return Math.max(...late);
}

/** Runs in the page: opens a WebSocket and an event stream, and tells when they end. */
async function connect() {
  const tell = (name: string, end: object) => Reflect.get(window, "tell")(name, { ...end, at: Date.now() });
  await new Promise<void>((open, fail) => {
    const ws = new WebSocket(`${location.origin.replace("http", "ws")}/chat/socket`);
    ws.onopen = () => open();
    ws.onclose = ({ code, reason }) => {
      tell("socket", { code, reason });
      fail(new Error(`the WebSocket closed with ${code} ${reason}`));
    };
  });
  await new Promise<void>((open, fail) => {
    const source = new EventSource("/live/feed");
    source.onopen = () => open();
    source.onerror = () => {
      source.close();
      tell("feed", {});
      fail(new Error("the event stream ended"));
    };
  });
}

test("ending by hand asks first, then leads back", async ({ page }) => {
  const sold = await buy(system, { user: "hand", seconds: 300, tokens: 30 });
  await page.goto(sold.launch_url);
  await page.getByTestId("session-timer").click();
  await page.getByTestId("end-session").click();
  await page.getByTestId("confirm-end-session").click();
  await page.waitForURL(`${system.marketplace}/session/complete?session_id=${sold.session.id}`);
  expect((await read(system, sold.session.id)).status).toBe("completed");
  // Going back does not open the app again.
  await page.goto(system.app);
  expect(page.url()).toContain(`${system.marketplace}/session/complete`);
});

test("without a session the app is a page that says so", async ({ page }) => {
  const answer = await page.goto(system.app);
  expect(answer?.status()).toBe(401);
  await expect(page.getByTestId("session-refused")).toBeVisible();
  await page.getByRole("link", { name: "Go to the marketplace" }).click();
  await page.waitForURL(`${system.marketplace}/`);
});
