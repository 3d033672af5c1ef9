import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { bundle, html, initialize, lib, oneTimer, plain, timers, useApp, visit } from "./app";

// The script tag's file works wherever it is served from, and errors name their cause.

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

const umd = readFileSync(join(lib, "marketplace-sdk.umd.js"), "utf8");
type Listener = Extract<(typeof it.pages)[string], (...given: never[]) => void>;
const script: Listener = (_, response) => {
  response.writeHead(200, { "Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*" }).end(umd);
};
/** A CDN that resolves a package's short address serves the file there, or redirects to it. */
const redirect: Listener = (_, response) => {
  response.writeHead(302, { Location: "/sdk/marketplace-sdk.umd.js" }).end();
};

test.each<[string, Listener]>([
  ["/npm/@marketplace/provider-sdk", script],
  ["/npm/@marketplace/provider-sdk@1.0.0", script],
  ["/combine/npm/jquery@3,npm/@marketplace/provider-sdk", script],
  ["/@marketplace/provider-sdk", redirect],
  ["/assets/vendor.4f2a.js?v=2", script],
])("at %s, with no other file of the package beside it, the timer is shown", async (src, answer) => {
  it.pages["/"] = plain(src);
  it.pages[src.split("?")[0] as string] = answer;
  const page = await visit(context);
  await it.enter(page);
  expect(await initialize(page, { apiEndpoint: it.api })).toEqual({ status: "active" });
  await oneTimer(page);
  await timers(page).click();
  await page.getByTestId("session-panel").waitFor();
  expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
  expect(it.asked.filter((one) => one.includes("ui.js"))).toEqual([]);
});

test("without an address of its own, in an inline script, the timer is shown in English", async () => {
  it.pages["/"] = plain().replace(
    '<script src="/sdk/marketplace-sdk.umd.js"></script>',
    () => `<script>${umd.replaceAll("</script", "<\\/script")}</script>`,
  );
  const page = await visit(context);
  await it.enter(page);
  expect(await initialize(page, { apiEndpoint: it.api, language: "de" })).toEqual({ status: "active" });
  await oneTimer(page);
  expect(await timers(page).getAttribute("aria-label")).toBe("Session time left");
});

test.each([
  ["/sdk/marketplace-sdk.umd.js", "beside the script"],
  ["/npm/@marketplace/provider-sdk@1", "below the package's address"],
])("with the script at %s, another language is loaded from %s", async (src) => {
  it.pages["/"] = plain(src, "de");
  it.pages[src] = script;
  it.pages["*"] = (request, response) => {
    const [, file] = /provider-sdk@1\/lib\/(.+)$/.exec(request.url ?? "") ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { "Content-Type": "text/javascript" }).end(readFileSync(join(lib, file)));
  };
  const page = await visit(context);
  await it.enter(page);
  await initialize(page, { apiEndpoint: it.api });
  await oneTimer(page);
  expect(await timers(page).getAttribute("aria-label")).not.toBe("Session time left");
  expect(page.errors).toEqual([]);
});

test.each(["opened", "ui"])(
  "a file that is missing after a deployment (%s) is named as the cause",
  async (part) => {
    it.pages["/app.js"] = await bundle("");
    it.pages["/"] = html("/start.js");
    it.pages["/start.js"] = `
import { MarketplaceSDK } from "/sdk/index.js";
window.errors = [];
const sdk = window.sdk = new MarketplaceSDK({ apiEndpoint: ${JSON.stringify(it.api)}, redirect: false, onError: ({ code, message }) => errors.push({ code, message }) });
window.opening = sdk.initialize().then(({ status }) => status, ({ code }) => code);`;
    const page = await visit(context);
    let missing = true;
    await page.route(`**/parts/${part}-*.js`, (route) =>
      missing ? route.fulfill({ status: 404 }) : route.continue(),
    );
    await it.enter(page);
    await page.waitForFunction(() => Reflect.has(window, "opening"));
    const opened = await page.evaluate(() => Reflect.get(window, "opening"));
    // Without its timer, the session is open.
    expect(opened).toBe(part === "ui" ? "active" : "LOAD_FAILED");
    const [error] = await page.evaluate(() => Reflect.get(window, "errors"));
    expect(error).toMatchObject({
      code: "LOAD_FAILED",
      message: expect.stringMatching(/parts\/.*all of the package's files/),
    });
    missing = false;
    if (part !== "ui") return;
    await until(async () => {
      await page.evaluate(() => Reflect.get(window, "sdk").startTimer());
      return timers(page).count();
    }, "startTimer() tries again");
    await oneTimer(page);
  },
);

test.each([
  ["no apiEndpoint", { apiEndpoint: undefined }, "INVALID_CONFIG", /apiEndpoint is missing/],
  ["an empty apiEndpoint", { apiEndpoint: "" }, "INVALID_CONFIG", /apiEndpoint is missing/],
  [
    "a server that is not the session service",
    { apiEndpoint: "APP" },
    "HTTP_404",
    /not the session service's/,
  ],
  [
    "a page of a captive portal",
    { apiEndpoint: "APP/portal" },
    "INVALID_ANSWER",
    /not the session service's/,
  ],
  ["no server", { apiEndpoint: "https://127.0.0.1:1" }, "NETWORK", /Check apiEndpoint, the network, CORS/],
])("with %s the error names the cause", async (_, settings, code, message) => {
  it.pages["/"] = plain();
  it.pages["/portal/api/v1/sessions/s-1/launch"] = "<h1>Sign in to the Wi-Fi</h1>";
  const page = await visit(context);
  await it.enter(page);
  const failed = await initialize(page, {
    ...settings,
    apiEndpoint: settings.apiEndpoint?.replace("APP", it.origin),
  });
  expect(failed).toEqual({ code, message: expect.stringMatching(message) });
  expect(failed.message).not.toContain("eyJ");
});
