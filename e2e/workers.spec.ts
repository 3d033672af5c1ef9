import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "@playwright/test";
import { type Engine, engines, type Page } from "../sdk-inject/test/hostile/browsers.ts";
import { api, buy, eventually, read, start, type System } from "./system.ts";

// Apps whose service workers answer navigations: a launch link reaches the gate all the same, the
// worker's pages have the clock, and after the end nobody is left in a page from a cache.

/** The worker of an app that answers every navigation with its shell, as Workbox's navigateFallback does. */
const shell = `
self.addEventListener("install", (e) => e.waitUntil(caches.open("v1").then((c) => c.addAll(["/index.html"])).then(() => self.skipWaiting())));
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => { if (e.request.mode === "navigate") e.respondWith(caches.match("/index.html").then((r) => r || fetch(e.request))); });`;

interface Script {
  body: string;
  headers?: Record<string, string>;
  encoded?: Buffer;
}
const scripts: Record<string, Script> = {
  "/shell.js": { body: shell },
  // As Angular does: the registered script imports the worker.
  "/imports.js": { body: `importScripts("/shell.js");` },
  "/onfetch.js": { body: `"use strict";\n${shell.replace(/self\.addEventListener\("fetch", (.*)\);$/m, "self.onfetch = $1;")}` },
  // An object store that holds compressed files sends them to everybody.
  "/packed.js": { body: shell, headers: { "Content-Encoding": "br" }, encoded: brotliCompressSync(shell) },
  "/module.js": { body: `import { listen } from "/dep.js";\nlisten(self);`, headers: { ETag: '"m1"' } },
  "/dep.js": { body: `export const listen = () => {};${shell}` },
  "/preload.js": {
    body: `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.registration.navigationPreload.enable().then(() => self.clients.claim())));
self.addEventListener("fetch", (e) => { if (e.request.mode === "navigate") e.respondWith((async () => (await e.preloadResponse) || fetch(e.request))()); });`,
  },
  "/keeps.js": {
    body: `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => { if (e.request.method !== "GET") return;
  e.respondWith(caches.match(e.request).then((hit) => hit || fetch(e.request).then((r) => { if (r.ok) { const kept = r.clone(); caches.open("k").then((c) => c.put(e.request, kept)); } return r; }))); });`,
  },
  // Stale while revalidate, and cache first, with whatever came.
  "/stale.js": {
    body: `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => { if (e.request.method !== "GET") return;
  const fresh = () => fetch(e.request).then((r) => { const kept = r.clone(); return caches.open("s").then((c) => c.put(e.request, kept)).then(() => r); });
  e.respondWith(caches.match(e.request).then((hit) => { if (!hit) return fresh(); e.waitUntil(fresh()); return hit; })); });`,
  },
  "/everything.js": {
    body: `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => { if (e.request.mode !== "navigate") return;
  e.respondWith(caches.match(e.request).then((hit) => hit || fetch(e.request).then((r) => { const kept = r.clone(); return caches.open("e").then((c) => c.put(e.request, kept)).then(() => r); }))); });`,
  },
  "/offline.js": {
    body: `
self.addEventListener("install", (e) => e.waitUntil(caches.open("o").then((c) => c.addAll(["/kept"])).then(() => self.skipWaiting())));
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => { if (e.request.mode === "navigate") e.respondWith(caches.match(e.request).then((r) => r || fetch(e.request))); });`,
  },
};

/** A file of an npm package, as an app serves it. */
const fileOf = (path: string) => readFileSync(new URL(`node_modules/${path}`, import.meta.url), "utf8");

/** Workbox's navigateFallback: every visit gets the shell from the precache. */
const workbox = (from: string) => `
${from}
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
const { precacheAndRoute, createHandlerBoundToURL } = workbox.precaching;
const { registerRoute, NavigationRoute } = workbox.routing;
precacheAndRoute([{ url: "/index.html", revision: "1" }]);
registerRoute(new NavigationRoute(createHandlerBoundToURL("/index.html")));`;

const parts = ["core", "routing", "strategies", "precaching"].map((name) => `workbox-${name}`);
for (const name of parts) scripts[`/workbox/${name}.prod.js`] = { body: fileOf(`${name}/build/${name}.prod.js`) };
scripts["/workbox/loader.js"] = { body: fileOf("workbox-sw/build/workbox-sw.js") };
/** By its loader, which imports the parts when they are used first. */
scripts["/workbox-loaded.js"] = {
  body: workbox(`importScripts("/workbox/loader.js");
workbox.setConfig({ debug: false, modulePathPrefix: "/workbox/" });`),
};
/** In one file, as builds make it. */
scripts["/workbox-whole.js"] = { body: workbox(parts.map((name) => scripts[`/workbox/${name}.prod.js`]?.body).join("\n")) };

/** Angular's worker, with the manifest that its build writes. */
scripts["/ngsw-worker.js"] = { body: fileOf("@angular/service-worker/ngsw-worker.js") };

const pageOf = (script = "") =>
  `<!doctype html><html lang="en"><head><title>app</title></head><body><h1>app</h1>${script}</body></html>`;

const manifest = () =>
  JSON.stringify({
    configVersion: 1,
    timestamp: 1_700_000_000_000,
    index: "/index.html",
    assetGroups: [
      {
        name: "app",
        installMode: "prefetch",
        updateMode: "prefetch",
        cacheQueryOptions: { ignoreVary: true },
        urls: ["/index.html"],
        patterns: [],
      },
    ],
    dataGroups: [],
    hashTable: { "/index.html": createHash("sha1").update(pageOf()).digest("hex") },
    navigationUrls: [
      { positive: true, regex: "^\\/.*$" },
      { positive: false, regex: "^\\/(?:.+\\/)?[^/]*\\.[^/]*$" },
    ],
    navigationRequestStrategy: "performance",
  });

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const app = () =>
  listen((asked, response) => {
    const { pathname, searchParams } = new URL(asked.url ?? "/", "http://app");
    const script = scripts[pathname];
    if (script) {
      response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "no-cache", ...script.headers });
      return void response.end(script.encoded ?? script.body);
    }
    if (pathname === "/data") return void response.end("data");
    if (pathname === "/ngsw.json") {
      response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-cache" });
      return void response.end(manifest());
    }
    const worker = searchParams.get("worker");
    const options = worker === "/module.js" ? `, { type: "module" }` : "";
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
    response.end(pageOf(worker ? `<script>navigator.serviceWorker.register("${worker}"${options});</script>` : ""));
  });

/** A name whose address moves from the app's server to the gate, as a provider's domain does. */
async function domain(first: string) {
  let to = first;
  const front = await listen((asked, response) => {
    const { hostname, port } = new URL(to);
    const on = request({ hostname, port, method: asked.method, path: asked.url, headers: { ...asked.headers, host: new URL(to).host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    on.on("error", () => response.destroy());
    asked.pipe(on);
  });
  return { ...front, moveTo: (url: string) => void (to = url) };
}

const controlled = () => navigator.serviceWorker.controller !== null;
const keepsShell = () => caches.match("/index.html", { ignoreSearch: true, ignoreVary: true });
const hasClock = () => [...document.querySelectorAll("*")].some((e) => e.shadowRoot?.querySelector("[data-testid=session-timer]"));
const noToken = () => !location.search.includes("session=");
const data = () => fetch("/data").then((r) => r.status);

/** Waits for what a script of the page says; it may go to another page meanwhile. */
async function until(page: Page, script: () => unknown): Promise<void> {
  await expect.poll(() => page.run(script).then(Boolean, () => false), { message: `${script}` }).toBe(true);
}

/** Opens a page. A worker may lead it elsewhere before it has loaded. */
const open = (page: Page, url: string) => page.goto(url).catch(() => {});

let system: System;
let origin: Awaited<ReturnType<typeof app>>;
test.beforeAll(async () => {
  origin = await app();
  system = await start("--origin", origin.url);
});
test.afterAll(async () => {
  await system?.stop();
  origin?.stop();
});

const end = (id: string) => api(system, "POST", `/api/v1/sessions/${id}/complete`, {});

for (const name of ["chromium", "firefox"]) {
  let engine: Engine;
  test.describe(name, () => {
    test.beforeAll(async () => {
      engine = (await engines[name]?.()) as Engine;
    });
    test.afterAll(async () => {
      await engine?.stop();
    });

    const workers = [
      "/shell.js",
      "/imports.js",
      "/onfetch.js",
      "/packed.js",
      "/preload.js",
      "/workbox-loaded.js",
      "/workbox-whole.js",
      "/ngsw-worker.js",
    ];
    for (const worker of workers)
      test(`a buyer returns to an app whose worker is ${worker.slice(1)}`, async () => {
        const page = await engine.page();
        const first = await buy(system, { user: `first-${name}`, seconds: 600, tokens: 1 });
        await page.goto(first.launch_url);
        await page.goto(`${system.app}/?worker=${worker}`);
        await until(page, controlled);
        if (worker !== "/preload.js") await until(page, keepsShell);
        await page.goto(`${system.app}/`);
        await until(page, hasClock);

        // After the end, a visit shows no page from a cache.
        await end(first.session.id);
        await open(page, `${system.app}/visit`);
        await until(page, () => location.pathname === "/session/complete" || document.querySelector("[data-testid=session-refused]"));

        const second = await buy(system, { user: `first-${name}`, seconds: 600, tokens: 1, clock: "launch" });
        await open(page, second.launch_url);
        await until(page, noToken);
        await until(page, hasClock);
        expect((await read(system, second.session.id)).status).toBe("active");
        expect(await page.run(data)).toBe(200);
        await until(page, controlled); // the app's own worker still works
        await end(second.session.id);
      });

    // Browsers fetch modules of a worker without cookies, so that the gate knows no session.
    for (const worker of ["/shell.js", "/module.js"])
      test(`a worker from before the gate does not keep a buyer out: ${worker.slice(1)}`, async () => {
        const site = await domain(origin.url);
        try {
          const page = await engine.page();
          await page.goto(`${site.url}/?worker=${worker}`);
          await until(page, controlled);
          await page.run(() => caches.open("mine").then((c) => c.put("/mine", new Response("kept"))));
          site.moveTo(system.app);
          const { session, launch_url } = await buy(system, { user: `before-${name}`, seconds: 600, tokens: 1, clock: "launch" });
          await open(page, launch_url.replace(system.app, site.url));
          await eventually(async () => (await read(system, session.id)).status === "active", () => "the launch link is not redeemed");
          await until(page, noToken);
          await until(page, hasClock);
          expect(await page.run(data)).toBe(200);
          expect(await page.run(() => caches.match("/mine").then((r) => r?.text()))).toBe("kept");
          // The app registers its worker as ever, and gets it.
          await page.goto(`${site.url}/?worker=/shell.js`);
          await until(page, () => caches.match("/index.html"));
          await end(session.id);
        } finally {
          site.stop();
        }
      });

    test("a worker that keeps every GET keeps nothing of the session", async () => {
      const page = await engine.page();
      const first = await buy(system, { user: `keeps-${name}`, seconds: 600, tokens: 1 });
      await page.goto(first.launch_url);
      await page.goto(`${system.app}/?worker=/keeps.js`);
      await until(page, controlled);
      await page.goto(`${system.app}/page`);
      await until(page, hasClock);
      await until(page, () => caches.match("/page"));
      expect(await page.run(async () => (await (await caches.open("k")).keys()).map((r) => new URL(r.url).pathname).filter((p) => p.startsWith("/.session-gate/")))).toEqual([]);
      await end(first.session.id);
      const second = await buy(system, { user: `keeps-${name}`, seconds: 1200, tokens: 1 });
      await open(page, second.launch_url);
      await until(page, noToken);
      await open(page, `${system.app}/page`); // from the cache, with the first session's script
      await until(page, () => {
        const timer = [...document.querySelectorAll("*")].map((e) => e.shadowRoot?.querySelector("[data-testid=session-timer]")).find(Boolean);
        return /^1\d:|^20:/.test(timer?.textContent ?? "");
      });
      await end(second.session.id);
    });

    for (const worker of ["/stale.js", "/everything.js"])
      test(`a refusal that a worker stored is not shown to the next buyer: ${worker.slice(1)}`, async () => {
        const page = await engine.page();
        const user = `${worker.slice(1, -3)}-${name}`;
        const first = await buy(system, { user, seconds: 600, tokens: 1 });
        await page.goto(first.launch_url);
        await page.goto(`${system.app}/?worker=${worker}`);
        await until(page, controlled);
        await end(first.session.id);
        // The user comes back to the window, the page learns of the end, and the user goes back.
        await until(page, () => dispatchEvent(new Event("focus")) && document.querySelector("session-gate")?.shadowRoot?.querySelector("[data-testid=return-link]"));
        await page.click("[data-testid=return-link]");
        const out = () => location.pathname.startsWith("/session/complete");
        await until(page, out);
        await open(page, `${system.app}/later`); // the worker keeps the page that it gets
        await until(page, out);
        const second = await buy(system, { user, seconds: 1200, tokens: 1 });
        await open(page, second.launch_url);
        await until(page, hasClock);
        await open(page, `${system.app}/later`);
        await until(page, () => document.querySelector("h1")?.textContent === "app");
        await until(page, hasClock);
        await end(second.session.id);
      });

    test("a page that a worker stored is found for a navigation", async () => {
      const page = await engine.page();
      const { session, launch_url } = await buy(system, { user: `offline-${name}`, seconds: 600, tokens: 1 });
      await page.goto(launch_url);
      await page.goto(`${system.app}/?worker=/offline.js`);
      await until(page, controlled);
      expect(await page.run(() => caches.match(new Request("/kept", { headers: { "Upgrade-Insecure-Requests": "1" } })).then((r) => r?.status))).toBe(200);
      expect(await page.run(() => caches.match("/kept").then((r) => /upgrade/i.test(r?.headers.get("vary") ?? "")))).toBe(false);
      await end(session.id);
    });
  });
}
