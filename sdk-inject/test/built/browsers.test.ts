import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, firefox, type Page } from "playwright-core";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../fake";
import { oldestChromium } from "../oldest";
import { bundle, html, initialize, oneTimer, plain, timers, useApp, visit } from "./app";

// The oldest browser that the package supports, and browsers whose users block cookies.

const it = useApp();
const folders: string[] = [];
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "sdk-browser-"));
  folders.push(made);
  return made;
}

const quiet = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync".split(" ");

async function oldest(): Promise<Page & { errors: string[] }> {
  const browser = await chromium.launch({
    executablePath: oldestChromium(),
    args: [...quiet, "--no-zygote"],
  });
  closing.push(() => browser.close());
  expect(browser.version()).toMatch(/^103\./);
  return visit(await browser.newContext());
}

// Playwright's own locators need a newer browser.
const found = (page: Page, selector: string, press = false) =>
  page.evaluate(
    ({ selector, press }) => {
      const shadow = document.querySelector("session-gate")?.shadowRoot;
      const element = shadow?.querySelector<HTMLElement>(selector);
      if (press) element?.click();
      return !!element;
    },
    { selector, press },
  );
const shows = (page: Page, selector: string) => until(() => found(page, selector), `${selector} is shown`);
/** A button that costs something takes a press only after a moment. */
async function press(page: Page, selector: string): Promise<void> {
  await shows(page, `${selector}:not([aria-disabled="true"])`);
  await found(page, selector, true);
}

describe("Chromium 103", () => {
  test("opens, shows, extends, pauses, resumes and ends a session", async () => {
    it.pages["/"] = plain();
    const page = await oldest();
    await it.enter(page, "/", "&keep=1");
    expect(await initialize(page, { apiEndpoint: it.api, heartbeatIntervalMs: 500 })).toEqual({
      status: "active",
    });
    await oneTimer(page);
    expect(new URL(page.url()).search).toBe("?keep=1");
    await press(page, ".chip button");
    await shows(page, 'dialog[open][data-testid="session-panel"]');
    await press(page, '[data-testid="extend-session"]');
    await until(() => it.backend.count("extend") === 1);
    await press(page, '[data-testid="close-session-dialog"]');
    await page.evaluate(() => Reflect.get(window, "sdk").pauseTimer());
    await shows(page, 'dialog[open][data-testid="session-paused"]');
    await press(page, '[data-testid="resume-session"]');
    await until(() => it.backend.session.status === "active");
    await until(() => it.backend.count("heartbeat") > 2);
    await page.evaluate(() => Reflect.get(window, "sdk").track("level.done"));
    await page.evaluate(() => Reflect.get(window, "sdk").endSession());
    await shows(page, 'dialog[open][data-testid="session-ended"]');
    expect(page.errors).toEqual([]);
  });

  test("runs the modules, another language, and pauseWhenHidden", async () => {
    it.pages["/app.js"] = await bundle(`
import { MarketplaceSDK } from "@marketplace/provider-sdk";
window.sdk = new MarketplaceSDK({ apiEndpoint: ${JSON.stringify(it.api)}, redirect: false, pauseWhenHidden: true, language: "ja" });
sdk.initialize().then(() => { document.body.dataset.open = "yes"; });`);
    it.pages["/"] = html("/app.js");
    const page = await oldest();
    await it.enter(page);
    await until(() => page.evaluate(() => document.body.dataset.open), "the session is open");
    await oneTimer(page);
    expect(await timers(page).getAttribute("aria-label")).not.toBe("Session time left");
    await page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    });
    await until(() => it.backend.session.status === "paused");
    expect(page.errors).toEqual([]);
  });

  test("runs the React binding and the statistics", async () => {
    it.pages["/api/v1/providers/prov_1/stats"] = (_, response) => void response.end('{"live":{"active":7}}');
    it.pages["/app.js"] = await bundle(`
import { createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { useMarketplaceSession } from "@marketplace/provider-sdk/react";
import { createStatsClient } from "@marketplace/provider-sdk/stats";
function App() { const { formattedTime, loading, error } = useMarketplaceSession({ apiEndpoint: ${JSON.stringify(it.api)}, redirect: false });
  return h("p", { id: "clock" }, error?.code ?? (loading ? "loading" : formattedTime)); }
createRoot(document.querySelector("#app")).render(h(App));
window.count = createStatsClient({ apiEndpoint: "", providerId: "prov_1" }).getActiveSessionCount();`);
    it.pages["/"] = html("/app.js");
    const page = await oldest();
    await it.enter(page);
    await until(async () => /^\d+:\d\d$/.test((await page.textContent("#clock")) ?? ""), "the clock runs");
    expect(await page.evaluate(() => Reflect.get(window, "count"))).toBe(7);
    expect(page.errors).toEqual([]);
  });
});

// Where cookies are blocked, localStorage, BroadcastChannel and locks exist, and throw.
const blocked: Record<string, () => Promise<BrowserContext>> = {
  async "Chromium with blocked cookies"() {
    const profile = folder();
    mkdirSync(join(profile, "Default"));
    const settings = {
      profile: { default_content_setting_values: { cookies: 2 }, block_third_party_cookies: true },
    };
    writeFileSync(join(profile, "Default/Preferences"), JSON.stringify(settings));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: "/usr/bin/chromium",
      args: quiet,
    });
    closing.push(() => context.close());
    return context;
  },
  async "Firefox with blocked cookies"() {
    const browser = await firefox.launch({
      channel: "moz-firefox",
      executablePath: "/usr/bin/firefox-esr",
      firefoxUserPrefs: { "network.cookie.cookieBehavior": 2 },
    });
    closing.push(() => browser.close());
    return browser.newContext();
  },
};

describe.each(Object.keys(blocked))("%s", (name) => {
  test("the session opens, heartbeats arrive, and the timer shows no lost connection", async () => {
    it.pages["/"] = plain();
    const context = await blocked[name]?.();
    if (!context) throw new Error("no browser");
    const page = await visit(context);
    await it.enter(page);
    const storage = await page.evaluate(() => {
      try {
        return typeof localStorage.length;
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(storage).toBe("SecurityError");
    const settings = {
      apiEndpoint: it.api,
      heartbeatIntervalMs: 300,
      pauseWhenHidden: true,
      tokenStorage: "session",
    };
    expect(await initialize(page, settings)).toEqual({ status: "active" });
    await oneTimer(page);
    await until(() => it.backend.count("heartbeat") > 3, "heartbeats arrive");
    expect(await timers(page).textContent()).toMatch(/^\d+:\d\d$/);
    await page.evaluate(() => Reflect.get(window, "sdk").track("level.done"));
    await page.evaluate(() => Reflect.get(window, "sdk").pauseTimer());
    await page.evaluate(() => Reflect.get(window, "sdk").resumeTimer());
    expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
    expect(page.errors).toEqual([]);
  });
});
