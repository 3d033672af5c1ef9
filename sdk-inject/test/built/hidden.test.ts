import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { initialize, plain, useApp, visit } from "./app";

// pauseWhenHidden in real tabs. Headless Chromium shows every tab, so a test says which one is hidden.

const it = useApp();
let browser: Browser;
let context: BrowserContext;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext();
  it.pages = { "/": plain(), "/other": plain() };
});
afterEach(() => context.close());

const settings = () => ({ apiEndpoint: it.api, pauseWhenHidden: true, tokenStorage: "session" });
const count = (path: string) => it.backend.count(path);
const status = () => it.backend.session.status;

/** Longer than the SDK waits before it takes a page for hidden. */
const settled = (page: Page) => page.waitForTimeout(2_500);

const look = (page: Page, state: "hidden" | "visible") =>
  page.evaluate((state) => {
    Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, state);

async function open(): Promise<{ page: Page }> {
  const page = await visit(context);
  await it.enter(page, "/");
  expect(await initialize(page, settings())).toEqual({ status: "active" });
  return { page };
}

/** Opens another tab of the session. It gets a copy of the page's session storage, and with it the session token. */
async function openTab(from: Page, path: string): Promise<Page> {
  const opened = context.waitForEvent("page");
  await from.evaluate((path) => void window.open(path), path);
  const page = await opened;
  await page.waitForFunction(() => Reflect.has(window, "MarketplaceSDK"));
  expect(await initialize(page, settings())).toEqual({ status: "active" });
  return page;
}

test("a hidden page pauses, and resumes when it is visible", async () => {
  const { page } = await open();
  await look(page, "hidden");
  await until(() => status() === "paused");
  await look(page, "visible");
  await until(() => status() === "active");
  expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
});

test("links and reloads do not pause", async () => {
  const { page } = await open();
  for (const [i, leave] of [
    () => page.goto(`${it.origin}/other`),
    () => page.reload(),
    () => page.goBack(),
    () => page.evaluate(() => location.assign("/other?again")),
  ].entries()) {
    await leave();
    await page.waitForFunction(() => Reflect.has(window, "MarketplaceSDK"));
    expect(await initialize(page, settings()), `page ${i}`).toEqual({ status: "active" });
  }
  await settled(page);
  expect([status(), count("pause")]).toEqual(["active", 0]);
});

test("a page that is hidden and shown at once does not pause", async () => {
  const { page } = await open();
  for (let i = 0; i < 5; i++) {
    await look(page, "hidden");
    await look(page, "visible");
  }
  await settled(page);
  expect([status(), count("pause")]).toEqual(["active", 0]);
});

test("a page that is shown while the pause is under way resumes after it", async () => {
  const { page } = await open();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route("**/pause", async (route) => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest("**/pause");
  await look(page, "hidden");
  await asked;
  await look(page, "visible");
  release();
  await until(() => count("resume") === 1);
  await until(() => status() === "active");
  await page.getByTestId("session-paused").waitFor({ state: "hidden" });
  expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
});

test("a tab that is hidden because another tab of the session is in front does not pause", async () => {
  const { page } = await open();
  const front = await openTab(page, "/other");
  await look(page, "hidden");
  await settled(front);
  expect([status(), count("pause")]).toEqual(["active", 0]);
  // With the last visible tab hidden, too, the session pauses, once; whichever tab comes first resumes it.
  await look(front, "hidden");
  await until(() => status() === "paused");
  await look(page, "visible");
  await until(() => status() === "active");
  await settled(front);
  expect([count("pause"), count("resume")]).toEqual([1, 1]);
  expect(await front.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
});

test("a hidden tab that the browser discarded and loads again resumes", async () => {
  const { page } = await open();
  await look(page, "hidden");
  await until(() => status() === "paused");
  await page.waitForFunction(() => localStorage.getItem("sessiongate")?.includes("hidden"));
  await page.reload();
  expect(await initialize(page, settings())).toEqual({ status: "paused" });
  await until(() => status() === "active");
});

test("a pause that the user asked for is not ended by looking away and back", async () => {
  const { page } = await open();
  await page.evaluate(() => Reflect.get(window, "sdk").pauseTimer());
  await look(page, "hidden");
  await settled(page);
  await look(page, "visible");
  await settled(page);
  expect([status(), count("pause"), count("resume")]).toEqual(["paused", 1, 0]);
});

test("a refused pause is reported once, and the clock runs", async () => {
  const { page } = await open();
  it.backend.script.set("pause", Array(9).fill([403, "pause_not_allowed"]));
  await look(page, "hidden");
  await until(() => page.evaluate(() => Reflect.get(window, "sdkErrors").length));
  await settled(page);
  expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual(["PAUSE_NOT_ALLOWED"]);
  expect(count("pause")).toBe(1);
});
