import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@playwright/test";
import { buy, start } from "./system.ts";

// What may stand between a navigation and the gate: the HTTP cache, a service
// worker that passes everything on, and a page that was fetched ahead. (Chromium
// prerenders nothing while a test drives it: prerender_test.go starts its own.)

const pages: Record<string, string> = {
  "/": `<p>first</p><script>navigator.serviceWorker.register("/sw.js")</script>`,
  "/kept": "<p>kept</p>",
  "/start": `<p>start</p><a href="/next">next</a>
    <script type="speculationrules">{"prefetch":[{"urls":["/next"],"eagerness":"immediate"}]}</script>`,
  "/next": "<p>next</p>",
};
const worker = `
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => e.respondWith(fetch(e.request)));`;

async function app() {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const path = (req.url ?? "/").split("?")[0];
    asked.push(path);
    if (path === "/sw.js") {
      res.writeHead(200, { "Content-Type": "text/javascript" }).end(worker);
      return;
    }
    const body = pages[path];
    res.writeHead(body ? 200 : 404, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "max-age=600" });
    res.end(`<!doctype html><html><head><title>${path}</title></head><body>${body ?? "missing"}</body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const clock = "[data-testid=session-timer]";

test("a copy that a script fetched is not taken for the page, with a service worker or without", async ({ page }) => {
  const origin = await app();
  const system = await start("--origin", origin.url);
  try {
    await page.goto((await buy(system, { user: "caches", seconds: 300, tokens: 10 })).launch_url);
    await expect(page.locator(clock)).toBeVisible();
    const fetched = () => page.evaluate(() => fetch("/kept").then((r) => r.text()));
    expect(await fetched()).not.toContain(".session-gate");
    await page.goto(`${system.app}/kept`);
    await expect(page.locator(clock)).toBeVisible();
    expect(await fetched()).not.toContain(".session-gate");

    await page.goto(system.app);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.goto(`${system.app}/kept?by=worker`);
    expect(await page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
    await expect(page.locator(clock)).toBeVisible();
    expect(await fetched()).not.toContain(".session-gate");
  } finally {
    await system.stop();
    origin.stop();
  }
});

test("a stored page is revalidated for visits, and never handed to a script", async ({ page }) => {
  const answers: string[] = [];
  const origin = createServer((req, res) => {
    const known = req.headers["if-none-match"] === '"v1"';
    // Browsers ask for an icon, too.
    if (req.url === "/tagged") answers.push(`${known ? 304 : 200} ${req.headers["if-none-match"] ?? "-"}`);
    res.writeHead(known ? 304 : 200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", ETag: '"v1"' });
    res.end(known ? undefined : "<!doctype html><html><head><title>etag</title></head><body><p>tagged</p></body></html>");
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  const system = await start("--origin", `http://127.0.0.1:${(origin.address() as AddressInfo).port}`);
  try {
    await page.goto((await buy(system, { user: "etag", seconds: 300, tokens: 10 })).launch_url);
    await page.goto(`${system.app}/tagged`);
    await expect(page.locator(clock)).toBeVisible();
    answers.length = 0;
    await page.goto(`${system.app}/tagged`);
    expect(answers).toEqual(['304 "v1"']);
    await expect(page.locator(clock)).toBeVisible();
    expect(await page.evaluate(() => fetch("/tagged").then((r) => r.text()))).not.toContain(".session-gate");
    await page.goto(`${system.app}/tagged`);
    await expect(page.locator(clock)).toBeVisible();
  } finally {
    await system.stop();
    origin.closeAllConnections();
    origin.close();
  }
});

test("a page that was fetched ahead has its clock when it is shown", async ({ page }) => {
  const origin = await app();
  const system = await start("--origin", origin.url);
  try {
    await page.goto((await buy(system, { user: "ahead", seconds: 300, tokens: 10 })).launch_url);
    const statuses: string[] = [];
    const devtools = await page.context().newCDPSession(page);
    devtools.on("Preload.prefetchStatusUpdated", (e) => statuses.push(`${new URL(e.prefetchUrl).pathname} ${e.status}`));
    await devtools.send("Preload.enable");
    await page.goto(`${system.app}/start`);
    await expect.poll(() => statuses).toContain("/next Ready");
    await page.click("a");
    await expect(page.locator("body > p")).toHaveText("next");
    await expect.poll(() => statuses).toContain("/next Success"); // it was used
    expect(origin.asked.filter((path) => path === "/next")).toHaveLength(1);
    await expect(page.locator(clock)).toBeVisible();
  } finally {
    await system.stop();
    origin.stop();
  }
});
