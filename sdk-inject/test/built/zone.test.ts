import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { bundle, html, oneTimer, useApp, visit } from "./app";

// zone.js, as Angular uses it: an app is stable when its zone has no timer and no request. A timer that
// is always waiting would keep it from hydrating, and from registering its service worker.

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

const app = `
import "zone.js";
import { MarketplaceSDK } from "@marketplace/provider-sdk";
import { createStatsClient } from "@marketplace/provider-sdk/stats";
window.busy = false;
window.seen = [];
// Angular's NgZone is such a fork.
const zone = window.zone = Zone.current.fork({
  name: "angular",
  onHasTask(parent, current, target, state) {
    parent.hasTask(target, state);
    if (current === target && state.change === "macroTask") window.busy = state.macroTask;
  },
});
const note = (what) => () => window.seen.push(what + " in " + Zone.current.name);
zone.run(() => {
  const sdk = window.sdk = new MarketplaceSDK({
    apiEndpoint: window.API, redirect: false, heartbeatIntervalMs: 400, pauseWhenHidden: true,
    onHeartbeat: note("heartbeat"), onBeforeEnd: note("beforeEnd"),
  });
  sdk.on("onSessionStart", note("start"));
  sdk.subscribe(note("tick"));
  sdk.initialize().then(() => { window.opened = true; });
  // Live statistics without a server reconnect for ever.
  window.stop = createStatsClient({ apiEndpoint: "", providerId: "prov_1" }).subscribe(note("live"));
});`;

async function open(): Promise<Page & { errors: string[] }> {
  it.pages["/app.js"] = await bundle(app);
  it.pages["/"] = `<script>window.API=${JSON.stringify(it.api)}</script>${html("/app.js")}`;
  const page = await visit(context);
  await it.enter(page);
  await page.waitForFunction(() => Reflect.get(window, "opened"));
  await oneTimer(page);
  return page;
}

const busy = (page: Page) => page.evaluate(() => Reflect.get(window, "busy"));
/** What one of the SDK's functions does in the app's zone. */
const inZone = (page: Page, method: string) =>
  page.evaluate(
    (method) => Reflect.get(window, "zone").run(() => Reflect.get(window, "sdk")[method]()),
    method,
  );

test("an open session leaves the zone stable, and calls handlers in it", async () => {
  const page = await open();
  await until(async () => !(await busy(page)), "the zone is stable");
  await until(() => it.backend.count("heartbeat") > 3);
  expect(await busy(page)).toBe(false);
  const seen = (): Promise<string[]> => page.evaluate(() => Reflect.get(window, "seen"));
  await until(async () => (await seen()).filter((one) => one.startsWith("live")).length > 1, "live updates");
  for (const what of ["start", "tick", "heartbeat", "live"])
    expect(new Set((await seen()).filter((one) => one.startsWith(`${what} `)))).toEqual(
      new Set([`${what} in angular`]),
    );
  expect(page.errors).toEqual([]);
});

test("after a pause, an extension and the end the zone becomes stable again", async () => {
  const page = await open();
  for (const method of ["pauseTimer", "resumeTimer", "extend"]) {
    await inZone(page, method);
    await until(async () => !(await busy(page)), `the zone is stable after ${method}`);
  }
  const beats = it.backend.count("heartbeat");
  await until(() => it.backend.count("heartbeat") > beats + 2);
  expect(await busy(page)).toBe(false);
  await inZone(page, "endSession");
  await until(async () => !(await busy(page)), "the zone is stable after endSession");
  expect(await page.evaluate(() => Reflect.get(window, "seen"))).toContain("beforeEnd in angular");
});

test("a page that uses the name Zone for something else is left alone", async () => {
  it.pages["/app.js"] = await bundle(`
import { MarketplaceSDK } from "@marketplace/provider-sdk";
window.Zone = { current: "north", root: null };
new MarketplaceSDK({ apiEndpoint: ${JSON.stringify(it.api)}, redirect: false }).initialize();`);
  it.pages["/"] = html("/app.js");
  const page = await visit(context);
  await it.enter(page);
  await oneTimer(page);
  expect(page.errors).toEqual([]);
});
