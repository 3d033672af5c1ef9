import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, expect, test } from "@playwright/test";
import { type Engine, engines, type Page as AnyPage } from "../sdk-inject/test/hostile/browsers.ts";
import { api, buy, eventually, read, start, type System } from "./system.ts";

// What happens to a session between the app and other places: payment pages, frames, pauses, a
// second session, a browser that is closed.

const html = (body: string, head = "") => `<!doctype html><html lang="en"><head><title>app</title>${head}</head><body>${body}</body></html>`;
const picture = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const inner = html(`<p>inner</p><script src="/j.js"></script><img src="/i.png">`, `<link rel="stylesheet" href="/s.css">`);
const pages: Record<string, [type: string, body: string | Buffer, more?: Record<string, string>]> = {
  "/refresh": ["text/html", html("<p>auto</p>", `<meta http-equiv="refresh" content="1">`)],
  "/reload": ["text/html", html("<p>auto</p><script>setTimeout(() => location.reload(), 1000)</script>")],
  "/framed": ["text/html", html(`<p>host</p><iframe src="/refresh"></iframe>`)],
  "/holds": ["text/html", html(`<p>host</p><iframe src="/inside"></iframe>`)],
  "/sandbox": ["text/html", html(`<iframe sandbox="allow-scripts" src="/inner"></iframe>`)],
  "/inner": ["text/html", inner],
  "/csp": ["text/html", inner, { "Content-Security-Policy": "sandbox allow-scripts" }],
  "/s.css": ["text/css", "p { color: rgb(1, 2, 3) }"],
  "/j.js": ["text/javascript", "document.body.dataset.ran = 1"],
  "/i.png": ["image/png", picture],
  "/manifest": ["text/html", html("", `<link rel="manifest" href="/app.webmanifest">`)],
};

interface Seen {
  method: string;
  url: string;
  body: string;
  headers: IncomingMessage["headers"];
}
const seen: Seen[] = [];

async function listen(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    answer(request, response, body);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    port: (server.address() as AddressInfo).port,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

let system: System;
let origin: Awaited<ReturnType<typeof listen>>;
let pay: Awaited<ReturnType<typeof listen>>;
test.beforeAll(async () => {
  origin = await listen((request, response, body) => {
    const { method = "", url = "/", headers } = request;
    seen.push({ method, url, body, headers });
    const [type, text, more] = pages[url.split("?")[0] ?? ""] ?? ["text/html", html(`<p id="said">${method} ${body}</p>`)];
    response.writeHead(200, { "Content-Type": type, ...more });
    response.end(text);
  });
  system = await start("--origin", `http://127.0.0.1:${origin.port}`);
  // Another site: it sends its visitors back to the app, by the method in its address.
  pay = await listen((request, response) => {
    const method = new URL(request.url ?? "/", "http://pay").searchParams.get("method");
    response.writeHead(200, { "Content-Type": "text/html" });
    response.end(html(`<form method="${method}" action="${system.app}/return"><input name="receipt" value="42"><input name="x" value="a b&amp;ü"></form>
      <script>setTimeout(() => document.forms[0].submit(), 100)</script>`, `<meta charset="utf-8">`));
  });
});
test.afterAll(async () => {
  await system?.stop();
  origin?.stop();
  pay?.stop();
});
const payAt = (method: string) => `http://localhost:${pay.port}/?method=${method}`;

/** Waits for what a script of the page says; it may go to another page meanwhile. */
async function until(page: AnyPage, script: () => unknown): Promise<void> {
  await expect.poll(() => page.run(script).then(Boolean, () => false), { message: `${script}` }).toBe(true);
}

/** Runs in a page, with an address: the page interface of all engines takes no arguments. */
const with_ = <T>(text: string, f: string) => new Function(`return (${f})(${JSON.stringify(text)})`) as () => T;

for (const name of ["chromium", "firefox"]) {
  test.describe(name, () => {
    let engine: Engine;
    test.beforeAll(async () => {
      engine = (await engines[name]?.()) as Engine;
    });
    test.afterAll(async () => {
      await engine?.stop();
    });

    for (const method of ["GET", "POST"])
      test(`the way back from a payment page by ${method}, in the window and in a frame`, async () => {
        const page = await engine.page();
        const user = `paid-${name}-${method}`;
        const { session, launch_url } = await buy(system, { user, seconds: 600, tokens: 1 });
        await page.goto(launch_url);
        for (const frame of [false, true]) {
          seen.length = 0;
          if (frame) await page.run(with_(payAt(method), `(url) => { const frame = document.createElement("iframe"); frame.src = url; document.body.append(frame); }`));
          else await page.run(with_(payAt(method), `(url) => { setTimeout(() => { location.href = url; }); }`));
          await eventually(async () => seen.some(({ url }) => url.startsWith("/return")), () => JSON.stringify(seen.map(({ url }) => url)));
          const back = seen.find(({ url }) => url.startsWith("/return")) as Seen;
          expect(back.method).toBe(method);
          if (method === "POST") expect(back.body).toBe("receipt=42&x=a+b%26%C3%BC");
          expect(back.headers["sec-fetch-site"]).toBe("cross-site");
          // By GET, the window's navigation carries the session's own cookie.
          expect(back.headers["session-gate-user"]).toBe(method === "GET" && !frame ? user : undefined);
          expect(back.headers.cookie ?? "").not.toContain("session_gate");
          if (!frame) await until(page, () => location.pathname === "/return" && document.querySelector("#said") && document.readyState === "complete");
        }
        await api(system, "POST", `/api/v1/sessions/${session.id}/complete`, {});
      });

    test("frames are shown a page after the end, and not the way out", async () => {
      const page = await engine.page();
      const { session, launch_url } = await buy(system, { user: `frames-${name}`, seconds: 600, tokens: 1 });
      await page.goto(launch_url);
      await page.goto(`${system.app}/holds`);
      await until(page, () => document.querySelector("iframe")?.contentDocument?.querySelector("#said"));
      await api(system, "POST", `/api/v1/sessions/${session.id}/complete`, {});
      await page.run(() => void document.querySelector("iframe")?.contentWindow?.location.reload());
      await until(page, () => document.querySelector("iframe")?.contentDocument?.querySelector("[data-testid=session-refused]"));
      expect(await page.run(() => document.querySelector("iframe")?.contentDocument?.querySelector("a")?.target)).toBe("_top");
    });
  });
}

/** A browser with a profile, as people have it. */
async function profile() {
  const folder = await mkdtemp(join(tmpdir(), "sessiongate-profile-"));
  return {
    open: (): Promise<BrowserContext> =>
      chromium.launchPersistentContext(folder, {
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
      }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

test("a session outlives a restart of the browser", async () => {
  const { open, remove } = await profile();
  try {
    const { session, launch_url } = await buy(system, { user: "restart", seconds: 2_678_400, tokens: 1 });
    let browser = await open();
    let page = await browser.newPage();
    await page.goto(launch_url);
    const expires = (await browser.cookies(system.app)).map(({ expires }) => expires);
    expect(Math.min(...expires)).toBeGreaterThan(session.expires_at);
    await browser.close();
    browser = await open();
    page = await browser.newPage();
    expect((await page.goto(`${system.app}/again`))?.status()).toBe(200);
    // The link is the same browser's.
    expect((await page.goto(launch_url))?.status()).toBe(200);
    await browser.close();
  } finally {
    await remove();
  }
});

test("the parts of a sandboxed frame load, without its user's identity", async ({ page }) => {
  await page.goto((await buy(system, { user: "sandbox", seconds: 600, tokens: 1 })).launch_url);
  seen.length = 0;
  await page.goto(`${system.app}/sandbox`);
  const frame = page.frames()[1];
  await expect.poll(() => frame?.evaluate(() => document.body.dataset.ran)).toBe("1");
  await expect.poll(() => frame?.evaluate(() => getComputedStyle(document.querySelector("p") as Element).color)).toBe("rgb(1, 2, 3)");
  await expect.poll(() => frame?.evaluate(() => document.images[0]?.naturalWidth)).toBe(1);
  const parts = seen.filter(({ url }) => /^\/[sji]\./.test(url));
  expect(parts.map(({ headers }) => headers["session-gate-user"])).toEqual([undefined, undefined, undefined]);
});

test("a document under a CSP sandbox has no origin, and gets no script of ours", async ({ page }) => {
  await page.goto((await buy(system, { user: "csp", seconds: 600, tokens: 1 })).launch_url);
  const answer = await page.goto(`${system.app}/csp`);
  expect(await answer?.text()).toBe(inner);
});

test("a manifest causes no error", async ({ page }) => {
  await page.goto((await buy(system, { user: "manifest", seconds: 600, tokens: 1 })).launch_url);
  await page.goto(`${system.app}/manifest`);
  const devtools = await page.context().newCDPSession(page);
  const { errors, data } = await devtools.send("Page.getAppManifest");
  expect(errors).toEqual([]);
  expect(data?.trim()).toBe("{}");
});

const clock = "[data-testid=session-timer]";

test.describe("pauses", () => {
  test.beforeAll(async () => {
    const response = await fetch(`${system.api}/api/v1/providers/${system.provider_id}`, {
      method: "PATCH",
      headers: { Authorization: `Bearer ${system.admin_key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ policies: { settlement: "full", pause: { max_count: 50, max_seconds: 3600 } } }),
    });
    expect(response.status).toBe(200);
  });

  for (const path of ["/refresh", "/reload", "/framed"])
    test(`${path.slice(1)}: a page that loads itself again does not resume`, async ({ page }) => {
      const { session, launch_url } = await buy(system, { user: `pause-${path.slice(1)}`, seconds: 600, tokens: 1 });
      await page.goto(launch_url);
      await page.goto(system.app + path);
      await page.locator(clock).waitFor();
      // The page may load itself again while it asks, so that the answer is lost: the session's own record tells.
      await eventually(
        async () => {
          await page.evaluate(() => fetch("/.session-gate/pause", { method: "POST" }).then((r) => r.status)).catch(() => {});
          return (await read(system, session.id)).status === "paused";
        },
        () => "the session is not paused",
      );
      const shown = path === "/framed" ? page.frameLocator("iframe") : page;
      await expect(shown.getByTestId("session-refused")).toBeVisible();
      expect((await read(system, session.id)).status).toBe("paused");
      if (path === "/framed") return;
      // The button resumes, and leads back to where the user was.
      await page.getByRole("button", { name: "Resume" }).click();
      await page.waitForURL(system.app + path);
      await eventually(async () => (await read(system, session.id)).status === "active", () => "the button does not resume");
    });

  test("a link of another site does not resume", async ({ page }) => {
    const { session, launch_url } = await buy(system, { user: "pause-link", seconds: 600, tokens: 1 });
    await page.goto(launch_url);
    expect(await page.evaluate(() => fetch("/.session-gate/pause", { method: "POST" }).then((r) => r.status))).toBe(200);
    await page.goto(`http://localhost:${pay.port}/?method=GET`);
    await page.waitForURL(/\/return/);
    await expect(page.getByTestId("session-refused")).toBeVisible();
    expect((await read(system, session.id)).status).toBe("paused");
  });
});

test("a second session in a browser does not cost the first", async ({ page }) => {
  const long = await buy(system, { user: "two", seconds: 7200, tokens: 10 });
  const short = await buy(system, { user: "two", seconds: 600, tokens: 1 });
  const shown = () => page.evaluate(() => fetch("/.session-gate/session", { method: "POST" }).then((r) => r.json()).then((j) => j.session?.id));
  await page.goto(long.launch_url);
  const switchTo = async ({ launch_url, session }: typeof long) => {
    await page.goto(launch_url);
    await page.getByRole("button", { name: "Open the new session" }).click();
    await page.waitForURL(`${system.app}/`);
    expect(await shown()).toBe(session.id);
  };
  await switchTo(short);
  await switchTo(long); // back to the first, by its link
  await switchTo(short);
  await api(system, "POST", `/api/v1/sessions/${short.session.id}/complete`, {});
  await expect.poll(async () => (await page.goto(`${system.app}/next`).catch(() => null))?.status()).toBe(200);
  expect(await shown()).toBe(long.session.id);
});
