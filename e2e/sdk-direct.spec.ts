import { readFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { buildPackage, root } from "./examples.ts";
import { ALLOWANCE_S, api, read, start, type System } from "./system.ts";

// The package in an app without a gate, talking to the real session service on another
// origin: what browsers ask first (CORS), the clock that starts with the page, and what
// a page says in parting.

let system: System;
let app: Server;
/** Passes on to the session service, and remembers. */
let service: Server;
let seen: { method: string; path: string; key: string; body: string; status: number }[] = [];

const at = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const listen = (server: Server) => new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));

test.beforeAll(async () => {
  test.setTimeout(900_000); // npm ci and builds
  buildPackage();
  system = await start();
  service = await listen(
    createServer((incoming, answer) => {
      let body = "";
      incoming.on("data", (chunk) => (body += chunk));
      const on = request(system.api + incoming.url, { method: incoming.method, headers: incoming.headers }, (from) => {
        const { method = "", url: path = "" } = incoming;
        seen.push({ method, path, key: `${incoming.headers["idempotency-key"] ?? ""}`, body, status: from.statusCode ?? 0 });
        answer.writeHead(from.statusCode ?? 502, from.headers);
        from.pipe(answer);
      });
      on.on("error", () => answer.destroy());
      incoming.pipe(on);
    }),
  );
  app = await listen(
    createServer((incoming, answer) => {
      const { pathname } = new URL(incoming.url ?? "/", "http://x");
      if (pathname.startsWith("/sdk/")) {
        answer.setHeader("Content-Type", "text/javascript");
        return answer.end(readFileSync(join(root, "sdk-inject/lib", pathname.slice(5))));
      }
      answer.setHeader("Content-Type", "text/html");
      answer.end(`<!doctype html><html lang="en"><title>App</title><h1>App</h1>${
        pathname === "/elsewhere" ? "" : '<script src="/sdk/marketplace-sdk.umd.js"></script>'
      }`);
    }),
  );
});
test.afterAll(async () => {
  for (const server of [app, service]) {
    server?.closeAllConnections();
    server?.close();
  }
  await system?.stop();
});
test.beforeEach(() => {
  seen = [];
});

async function sell(more: object = {}) {
  await api(system, "POST", "/api/v1/users/ada/tokens", { amount: 500 });
  return api<{ session: { id: string }; token: string; launch_url: string }>(system, "POST", "/api/v1/sessions", {
    user_id: "ada",
    provider_id: system.provider_id,
    tokens_allocated: 10,
    duration_limit_seconds: 300,
    return_url: `${system.marketplace}/session/complete`,
    ...more,
  });
}

/** Opens the session in a page, as a provider's own code does. */
async function open(page: Page, token = "", settings: object = {}): Promise<{ status: string; expiresAt: number }> {
  await page.goto(`${at(app)}/${token && `?session=${token}`}`);
  return page.evaluate(
    async ([apiEndpoint, more]) => {
      const sdk = new (Reflect.get(window, "MarketplaceSDK").MarketplaceSDK)({ apiEndpoint, tokenStorage: "session", ...more });
      Object.assign(window, { sdk });
      return sdk.initialize();
    },
    [at(service), settings] as const,
  );
}

/** The clock in the page shows what is left of the session by its record. */
async function right(page: Page, { session }: { session: { id: string } }) {
  const { expires_at } = await read(system, session.id);
  const off = async () => {
    const [minutes = "", seconds = ""] = ((await page.getByTestId("session-timer").textContent()) ?? "").split(":");
    return Math.abs(Number(minutes) * 60 + Number.parseInt(seconds) - (expires_at - Date.now() / 1000));
  };
  await expect.poll(off).toBeLessThan(1 + ALLOWANCE_S);
}

/** A session's own: the page of the test before may say its last word meanwhile. */
const events = ({ session }: { session: { id: string } }) => said(`${session.id}/events`);
const said = (path: string) => seen.filter((one) => one.method === "POST" && one.path.endsWith(`/${path}`));

test("a session whose clock starts at launch is started by its page, and a reload goes on with it", async ({ page }) => {
  const sold = await sell({ clock: "launch" });
  expect((await read(system, sold.session.id)).status).toBe("pending");
  const first = await open(page, sold.token);
  expect(first.status).toBe("active");
  await right(page, sold);
  expect(new URL(page.url()).search).toBe("");
  expect((await read(system, sold.session.id)).expires_at).toBe(first.expiresAt);

  const again = await open(page);
  expect(again.expiresAt).toBe(first.expiresAt);
  await right(page, sold);
  expect(said("launch").map(({ status }) => status)).toEqual([200]);
  // The one entry is used: a gate does not open the session a second time.
  const gate = await fetch(sold.launch_url, { redirect: "manual", headers: { Accept: "text/html" } });
  expect(gate.status).toBe(409);
});

test("right at once with a browser's clock that is a day off", async ({ page }) => {
  await page.addInitScript(() => {
    const { now } = Date;
    Date.now = () => now() + 86_400_000;
  });
  const sold = await sell();
  // No heartbeat sets it right, however long the page takes.
  await open(page, sold.token, { heartbeatIntervalMs: 3_600_000 });
  await right(page, sold);
  expect(said(`${sold.session.id}/heartbeat`)).toEqual([]);
});

test("a page that goes says so, and sends what it has gathered", async ({ page }) => {
  const sold = await sell();
  await open(page, sold.token);
  await page.evaluate(() => Reflect.get(window, "sdk").track("last.word"));
  await page.goto(`${at(app)}/elsewhere`);
  // A page that was open for ten seconds has sent what it had by then.
  await expect.poll(() => events(sold).filter(({ body }) => body.includes("last.word"))).toMatchObject([{ status: 202 }]);
  await expect.poll(() => said(`${sold.session.id}/heartbeat`).at(-1)?.body).toContain('"active":false');
});

test("events that found no network go out from the next page, once", async ({ page, context }) => {
  const sold = await sell();
  await open(page, sold.token);
  await context.setOffline(true);
  await page.evaluate(() => {
    const sdk = Reflect.get(window, "sdk");
    for (let i = 0; i < 50; i++) sdk.track("offline", { n: `${i}` });
  });
  await expect.poll(() => page.evaluate(() => localStorage.getItem("sessiongate-events"))).toContain("offline");
  const kept = await page.evaluate(() => {
    const { batches } = JSON.parse(localStorage.getItem("sessiongate-events") ?? "");
    return batches.find((batch: object) => JSON.stringify(batch).includes("offline")).key;
  });
  const offline = () => events(sold).filter(({ body }) => body.includes("offline"));
  expect(offline()).toEqual([]);
  // The tab is closed without a word, as by a crash; another page of the session opens.
  const storage = await page.evaluate(() => sessionStorage.getItem("sessiongate-token"));
  const next = await context.newPage();
  await page.close();
  await context.setOffline(false);
  await open(next, "", { token: storage });
  await expect.poll(() => offline().filter(({ key }) => key === kept).length).toBeGreaterThan(0);
  expect(offline()[0]).toMatchObject({ status: 202 });
  await expect.poll(() => next.evaluate(() => localStorage.getItem("sessiongate-events"))).toBeNull();
  // The closing page may have sent them, too: under one key they happened once. (The batch of 50 begins with the session's
  // start; the last of them waits for the next.)
  const told = await api<{ entries: { kind: string; name: string }[] }>(system, "GET", `/api/v1/sessions/${sold.session.id}/timeline`);
  const happened = told.entries.filter(({ kind, name }) => kind === "page" && name === "offline").length;
  expect(happened === 49 || happened === 50, `${happened} events`).toBe(true);
});

test("pausing and going on show what the service says", async ({ page }) => {
  await fetch(`${system.api}/api/v1/providers/${system.provider_id}`, {
    method: "PATCH",
    headers: { Authorization: `Bearer ${system.admin_key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ policies: { pause: { max_count: 2, max_seconds: 600 } } }),
  });
  const sold = await sell();
  await open(page, sold.token);
  await page.evaluate(() => Reflect.get(window, "sdk").pauseTimer());
  await expect(page.getByTestId("session-paused")).toBeVisible();
  const again = await open(page);
  expect(again.status).toBe("paused");
  await page.getByTestId("resume-session").click();
  await expect(page.getByTestId("session-paused")).toBeHidden();
  expect((await read(system, sold.session.id)).status).toBe("active");
});
