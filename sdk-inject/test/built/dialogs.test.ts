import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { initialize, oneTimer, plain, timers, useApp, visit } from "./app";

// A view that was opened and closed once drew the next one again and again when the session changed:
// the page stood still.

const it = useApp();
let browser: Browser;
let context: BrowserContext;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(() => context.close());

async function open(more: object = {}) {
  it.pages["/"] = plain();
  const page = await visit(context);
  await it.enter(page);
  await initialize(page, { apiEndpoint: it.api, heartbeatIntervalMs: 300, ...more });
  await oneTimer(page);
  return page;
}

test.each(["pauseTimer", "endSession"])(
  "the panel was open before %s(): the next view is drawn, and the page goes on",
  async (method) => {
    const page = await open();
    await timers(page).click();
    await page.getByTestId("session-panel").waitFor();
    await page.getByTestId("close-session-dialog").click();
    await page.evaluate((method) => Reflect.get(window, "sdk")[method](), method);
    await page.getByTestId(method === "pauseTimer" ? "session-paused" : "session-ended").waitFor();
    expect(await page.evaluate(() => 1 + 1)).toBe(2);
  },
);

test("the panel is open when another tab pauses the session", async () => {
  const page = await open();
  await timers(page).click();
  await page.getByTestId("session-panel").waitFor();
  it.backend.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000) });
  it.backend.script.set("heartbeat", Array(3).fill([423, "session_paused"]));
  await page.getByTestId("session-paused").waitFor();
  it.backend.change({ status: "active", paused_at: undefined });
  await until(async () => {
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    return page.getByTestId("session-paused").isHidden();
  }, "the pause is over");
});

test("the warning was open before the session is paused", async () => {
  it.backend.change({ expires_at: Math.floor(Date.now() / 1000) + 250 });
  const page = await open();
  await page.getByTestId("session-warning").waitFor();
  await page.getByTestId("close-session-dialog").click();
  await page.evaluate(() => Reflect.get(window, "sdk").pauseTimer());
  await page.getByTestId("session-paused").waitFor();
  expect(await page.evaluate(() => 1 + 1)).toBe(2);
});
