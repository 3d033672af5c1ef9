import { expect, type Page, test } from "@playwright/test";
import { ALLOWANCE_S, buy, read, start, type System } from "./system.ts";

// A session of fifteen seconds in a real browser: entered, seen, cut, settled.

let system: System;

test.beforeAll(async () => {
  system = await start();
});

test.afterAll(() => system.stop());

test("fifteen seconds: the clock, the WebSocket and the event stream end together", async ({ page }) => {
  // A machine that was busy at the end makes one session late. A fault makes each of them late.
  for (let tries = 3, late = Infinity; late > 1 + ALLOWANCE_S; tries--) {
    expect(tries, `the last one was ${late} s late`).toBeGreaterThan(0);
    late = await fifteenSeconds(page, `fifteen-${tries}`);
  }
});

/** Buys a session of fifteen seconds and uses it up. Returns how late its connections ended, in seconds. */
async function fifteenSeconds(page: Page, user: string): Promise<number> {
  const sold = await buy(system, { user, seconds: 15, tokens: 30, clock: "launch" });
  await page.goto(sold.launch_url.replace("/?", "/live?"));
  expect(page.url()).toBe(`${system.app}/live`);
  const timer = page.getByTestId("session-timer");
  await expect(timer).toBeVisible();
  await expect(timer).toContainText(/0:[01]\d/);
  expect(await page.evaluate(() => document.cookie)).not.toContain("session_gate"); // out of scripts' reach

  // The screen leads back after a moment: it is looked for before it comes.
  const ended = page.getByTestId("session-ended").waitFor();
  const ends = await page.evaluate(
    () =>
      new Promise<{ code: number; reason: string; socketMs: number; feedMs: number }>((resolve) => {
        let socket: { code: number; reason: string; at: number } | undefined;
        let feed: number | undefined;
        const done = () =>
          socket &&
          feed &&
          resolve({ code: socket.code, reason: socket.reason, socketMs: socket.at, feedMs: feed });
        const ws = new WebSocket(`${location.origin.replace("http", "ws")}/chat/socket`);
        ws.onclose = (e) => {
          socket = { code: e.code, reason: e.reason, at: Date.now() };
          done();
        };
        const source = new EventSource("/live/feed");
        source.onerror = () => {
          feed ??= Date.now();
          source.close();
          done();
        };
      }),
  );
  expect(ends.code).toBe(4401);
  expect(ends.reason).toBe("session_expired");
  const { expires_at } = await read(system, sold.session.id);
  const late = [ends.socketMs, ends.feedMs].map((at) => at / 1000 - expires_at);
  expect(Math.min(...late)).toBeGreaterThan(-0.5);
  await ended;
  await page.waitForURL(`${system.marketplace}/session/complete?session_id=${sold.session.id}`);
  await expect.poll(async () => (await read(system, sold.session.id)).settlement?.captured).toBe(30);
  return Math.max(...late);
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
