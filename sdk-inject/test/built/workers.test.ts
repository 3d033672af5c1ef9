import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { initialize, oneTimer, plain, timers, useApp, visit } from "./app";

// The app's service worker answers from its cache whatever it has seen. It never answers for the
// session service.

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

const workers: Record<string, string> = {
  "cache-first":
    "const hit = await cache.match(request); if (hit) return hit; const made = await fetch(request); cache.put(request, made.clone()); return made;",
  "stale-while-revalidate":
    "const hit = await cache.match(request); const coming = fetch(request).then((made) => { cache.put(request, made.clone()); return made; }); return hit ?? coming;",
  "network-first":
    "try { const made = await fetch(request); cache.put(request, made.clone()); return made; } catch { return (await cache.match(request)) ?? Response.error(); }",
};
const worker = (strategy: string) => `
self.skipWaiting();
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.onfetch = (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  event.respondWith((async () => { const cache = await caches.open("v1"); ${strategy} })());
};`;

/** A page of the app that its worker controls. */
async function open(name: string): Promise<Page> {
  it.pages["/"] = plain();
  it.pages["/worker.js"] = worker(workers[name] ?? "");
  const page = await visit(context);
  await page.goto(it.origin);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/worker.js");
    await navigator.serviceWorker.ready;
  });
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  return page;
}

describe.each(Object.keys(workers))("a worker that is %s", (name) => {
  test("answers no call of the package", async () => {
    const page = await open(name);
    await it.enter(page);
    const settings = { apiEndpoint: it.api, heartbeatIntervalMs: 300 };
    expect(await initialize(page, settings)).toEqual({ status: "active" });
    await oneTimer(page);
    // Extended elsewhere: a cached answer would not know.
    it.backend.change({ expires_at: it.backend.session.expires_at + 3000, duration_limit_seconds: 3600 });
    await until(async () => /^(5\d|60):\d\d$/.test((await timers(page).textContent()) ?? ""), "the new time");
    // A new session on the same page shows its own time, not the one before.
    const later = Math.floor(Date.now() / 1000) + 7200;
    it.backend.session = {
      ...it.backend.session,
      version: 1,
      expires_at: later,
      duration_limit_seconds: 7200,
    };
    await it.enter(page);
    expect(await initialize(page, settings)).toEqual({ status: "active" });
    await until(
      async () => /^(1:5\d|2:00):\d\d$/.test((await timers(page).textContent()) ?? ""),
      "two hours",
    );
    const cached = await page.evaluate(async () =>
      (await (await caches.open("v1")).keys()).map(({ url }) => url),
    );
    expect(cached.filter((url) => url.includes("/api/"))).toEqual([]);
    expect(await page.evaluate(() => Reflect.get(window, "sdkErrors"))).toEqual([]);
  });

  test("answers with no old statistics", async () => {
    let active = 0;
    it.pages["/api/v1/providers/prov_1/stats"] = (_, response) =>
      void response.end(JSON.stringify({ live: { active: ++active } }));
    const page = await open(name);
    const count = () =>
      page.evaluate(async () => {
        const file = "/sdk/stats.js";
        const { createStatsClient } = await eval("(file) => import(file)")(file);
        return createStatsClient({
          apiEndpoint: "",
          providerId: "prov_1",
          cacheMs: 0,
        }).getActiveSessionCount();
      });
    expect([await count(), await count()]).toEqual([1, 2]);
    await page.reload();
    expect(await count()).toBe(3);
  });
});
