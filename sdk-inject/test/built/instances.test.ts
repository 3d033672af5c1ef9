import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { createGate } from "../../dev/server.mjs";
import { launch } from "../browser/page";
import { until } from "../fake";
import { token } from "../package/backend";
import { address, bundle, html, initialize, lib, oneTimer, plain, timers, useApp, visit } from "./app";

// Several instances on a page, one after another or at once: one session, and one timer.

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

const it = useApp();
const destroy = (page: Page, name: string) =>
  page.evaluate((name) => Reflect.get(window, name).destroy(), name);

test.each(["address", "config"])(
  "two instances at once, with the token in the %s, show one timer",
  async (where) => {
    it.pages["/"] = plain();
    const page = await visit(context);
    const settings = { apiEndpoint: it.api, ...(where === "config" && { token: token() }) };
    if (where === "address") await it.enter(page);
    else await page.goto(it.origin);
    const both = await Promise.all([initialize(page, settings, "one"), initialize(page, settings, "two")]);
    expect(both).toEqual([{ status: "active" }, { status: "active" }]);
    await oneTimer(page);
  },
);

test("when the instance that shows the timer is destroyed, another one shows it", async () => {
  it.pages["/"] = plain();
  const page = await visit(context);
  await it.enter(page);
  for (const name of ["one", "two", "three"]) await initialize(page, { apiEndpoint: it.api }, name);
  await oneTimer(page);
  for (const name of ["two", "one"]) {
    await destroy(page, name);
    await oneTimer(page);
  }
  await destroy(page, "three");
  expect(await timers(page).count()).toBe(0);
  expect(await initialize(page, { apiEndpoint: it.api }, "four")).toEqual({ status: "active" });
  await oneTimer(page);
  expect(page.errors).toEqual([]);
});

test("an instance without a timer of its own does not keep another from showing one", async () => {
  it.pages["/"] = plain();
  const page = await visit(context);
  await it.enter(page);
  await initialize(page, { apiEndpoint: it.api, ui: false }, "hook");
  expect(await timers(page).count()).toBe(0);
  await initialize(page, { apiEndpoint: it.api }, "clock");
  await oneTimer(page);
});

test("two copies of the package, one as a script and one in a bundle, share the session of the page", async () => {
  it.pages["/app.js"] = await bundle(`
import { MarketplaceSDK } from "@marketplace/provider-sdk";
window.bundled = (apiEndpoint) => new MarketplaceSDK({ apiEndpoint, redirect: false }).initialize().then(({ sessionId }) => sessionId, ({ code }) => code);`);
  it.pages["/"] = plain() + html("/app.js");
  const page = await visit(context);
  await it.enter(page);
  expect(await initialize(page, { apiEndpoint: it.api })).toEqual({ status: "active" });
  expect(await page.evaluate((api) => Reflect.get(window, "bundled")(api), it.api)).toBe("s-1");
  await oneTimer(page);
  // The token itself is in no property that both can see.
  const seen = await page.evaluate(() => {
    const record = Reflect.get(window, Symbol.for("sessiongate"));
    return JSON.stringify([record, { ...localStorage }, { ...sessionStorage }]);
  });
  expect(seen).not.toContain("eyJ");
});

test("a session that is over says so to a later instance, and a new token opens a new session", async () => {
  it.pages["/"] = plain();
  const page = await visit(context);
  await it.enter(page);
  await initialize(page, { apiEndpoint: it.api, ui: false });
  it.backend.change({ status: "completed" });
  expect(await initialize(page, { apiEndpoint: it.api, ui: false }, "late")).toMatchObject({
    code: "SESSION_COMPLETED",
  });
  it.backend.session = { ...it.backend.session, id: "s-2", status: "active", version: 1 };
  const next = token({ jti: "s-2" });
  await page.evaluate((next) => history.pushState(null, "", `/?session=${next}`), next);
  expect(await initialize(page, { apiEndpoint: it.api, ui: false }, "next")).toEqual({ status: "active" });
  expect(await page.evaluate(() => Reflect.get(window, "next").getSessionData().sessionId)).toBe("s-2");
  expect(await address(page)).toBe("/");
});

const components = `
import { Activity, createElement as h, useState } from "react";
import { createRoot } from "react-dom/client";
import { MarketplaceProvider, useMarketplaceSession, useSession } from "@marketplace/provider-sdk/react";
const config = { apiEndpoint: window.API, redirect: false };
// A hot update evaluates the modules of the app again: the same components, as new functions.
function evaluate() {
  const text = ({ loading, error, formattedTime }) => error?.code ?? (loading ? "loading" : formattedTime);
  const Clock = ({ id }) => h("p", { id }, text(useSession()));
  const Own = ({ id }) => h("p", { id }, text(useMarketplaceSession(config)));
  const Provided = ({ id }) => h(MarketplaceProvider, { config }, h(Clock, { id }));
  return function App() {
    const [key, remount] = useState(0);
    const [mode, setMode] = useState("visible");
    return h("main", {},
      h("button", { id: "remount", onClick: () => remount(key + 1) }, "remount"),
      h("button", { id: "toggle", onClick: () => setMode(mode === "visible" ? "hidden" : "visible") }, "toggle"),
      window.KIND === "activity" ? h(Activity, { mode }, h(Provided, { id: "clock" }))
        : window.KIND === "two" ? [h(Own, { key: "a", id: "clock" }), h(Own, { key: "b", id: "second" })]
        : h(Provided, { id: "clock", key }));
  };
}
const root = createRoot(document.querySelector("#app"));
window.update = () => root.render(h(evaluate()));
update();`;

describe.each(["remount", "activity", "two", "hot update"])("React: %s", (kind) => {
  test("the paid session goes on", async () => {
    it.pages["/app.js"] = await bundle(components);
    it.pages["/"] =
      `<script>window.API=${JSON.stringify(it.api)};window.KIND=${JSON.stringify(kind)}</script>${html("/app.js")}`;
    const page = await visit(context);
    await it.enter(page);
    const runs = (id = "#clock") =>
      until(async () => /^\d+:\d\d$/.test((await page.textContent(id)) ?? ""), `${kind}: ${id} runs`);
    await runs();
    if (kind === "two") await runs("#second");
    if (kind === "remount") for (let i = 0; i < 3; i++) await page.click("#remount");
    if (kind === "activity") {
      await page.click("#toggle");
      await until(async () => (await timers(page).count()) === 0, "a hidden component shows no timer");
      await page.click("#toggle");
    }
    if (kind === "hot update") await page.evaluate(() => Reflect.get(window, "update")());
    await runs();
    await oneTimer(page);
    expect(page.errors).toEqual([]);
  });
});

describe("behind the gate", () => {
  let server: Server;
  let base: string;
  const gate = createGate();
  beforeEach(async () => {
    server = createServer(gate.listener).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** A page with the gate's script and the package, which opens the session first or after the gate's timer is there. */
  async function open(when: "before" | "after", settings: object = {}) {
    const page = await visit(context);
    const file = `${lib}/marketplace-sdk.umd.js`;
    const start = () => initialize(page, { apiEndpoint: "https://unused.example", ...settings });
    if (when === "before") {
      await page.addInitScript({ path: file });
      // The gate's script waits for the page to have loaded.
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await page.route("**/__SDK__", async (route) => {
        await held;
        await route.continue();
      });
      await page.goto(`${base}/?market=${base}&seconds=600&total=1200&warn=500`);
      expect(await start()).toEqual({ status: "active" });
      release();
    } else {
      await page.goto(`${base}/?market=${base}&seconds=600&total=1200&warn=500`);
      await oneTimer(page);
      await page.addScriptTag({ path: file });
      expect(await start()).toEqual({ status: "active" });
    }
    return page;
  }

  test.each(["before", "after"] as const)(
    "an instance that opened %s the gate's timer leaves that of the gate when it is destroyed",
    async (when) => {
      const page = await open(when);
      await oneTimer(page);
      await destroy(page, "sdk");
      await oneTimer(page);
      // It is the gate's: it warns, as the session was sold.
      gate.change({ expires_at: Math.floor(Date.now() / 1000) + 490 });
      await until(async () => {
        await page.evaluate(() => window.dispatchEvent(new Event("focus")));
        return page.getByTestId("session-warning").isVisible();
      }, "the gate's timer warns");
    },
  );

  test("destroyed before the gate's script has come, it leaves the place to it", async () => {
    const page = await visit(context);
    await page.addInitScript({ path: `${lib}/marketplace-sdk.umd.js` });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route("**/__SDK__", async (route) => {
      await held;
      await route.continue();
    });
    await page.goto(`${base}/?market=${base}&seconds=600`);
    await initialize(page, { apiEndpoint: "https://unused.example" });
    await destroy(page, "sdk");
    expect(await timers(page).count()).toBe(0);
    release();
    await oneTimer(page);
  });

  test("an app that renders its own timer takes the place of the gate's, and gives it back", async () => {
    const page = await open("before", { ui: false });
    expect(await timers(page).count()).toBe(0);
    await destroy(page, "sdk");
    await oneTimer(page);
    // Mounted again, it leaves the timer that is there.
    expect(await initialize(page, { apiEndpoint: "https://unused.example" }, "again")).toEqual({
      status: "active",
    });
    await oneTimer(page);
  });
});
