import { join } from "node:path";
import { type Browser, chromium, expect, type Page, test } from "@playwright/test";
import { root, type Served, serveNext } from "./examples.ts";
import { edge, nginx, recipe, type Running } from "./recipes.ts";
import { buy, start, type System } from "./system.ts";

// docs/recipes/nextjs.md, run: its Caddyfile, its page and its policy, with an
// app of e2e/recipes/nextjs around them.

const doc = recipe("nextjs");
const app = "https://app.provider.com";
let system: System;
let next: Served;
const running: (() => unknown)[] = [];

test.beforeAll(async () => {
  test.setTimeout(900_000); // npm ci and a build
  system = await start();
  running.push(() => system.stop());
  next = await serveNext(join(root, "e2e/recipes/nextjs"), {
    "app/page.jsx": doc("app/page.tsx"),
    "proxy.js": doc("proxy.ts"),
  });
  running.push(() => next.stop());
});
test.afterAll(async () => {
  for (const stop of running.reverse()) await stop();
});

/** A browser that finds the app at an edge, and what its pages complain of. */
async function visit(at: Running, user: string): Promise<{ browser: Browser; page: Page; complaints: string[] }> {
  const { executablePath, args = [] } = test.info().project.use.launchOptions ?? {};
  const browser = await chromium.launch({
    executablePath,
    args: [...args, `--host-resolver-rules=MAP app.provider.com:443 127.0.0.1:${at.port}`],
  });
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  const complaints: string[] = [];
  page.on("console", (m) => {
    // The app has no icon.
    if (["error", "warning"].includes(m.type()) && !m.location().url.endsWith("/favicon.ico")) complaints.push(m.text());
  });
  page.on("pageerror", (e) => complaints.push(String(e)));
  const sold = await buy({ ...system, provider_id: "prov_app" }, { user, seconds: 3000, tokens: 25 });
  await page.goto(sold.launch_url);
  return { browser, page, complaints };
}

/** The page has its clock, and React has taken the page over. */
async function alive(page: Page) {
  const button = page.getByRole("button", { name: /^counted/ });
  await expect(async () => {
    await button.click();
    await expect(button).not.toHaveText("counted 0", { timeout: 500 });
  }).toPass();
  await expect(page.getByTestId("session-timer")).toHaveCount(1);
  await expect(page.getByTestId("session-timer")).toContainText(/[34]\d:\d\d/);
}

async function keeps(page: Page, user: string) {
  await page.goto(`${app}/note`);
  await alive(page);
  await page.getByLabel("note").fill("first");
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByText(`Note: first of ${user}`)).toBeVisible();
}

async function streams(page: Page, user: string) {
  await page.goto(`${app}/slow`, { waitUntil: "commit" });
  // The answer waits for our word: the placeholder before it is seen, however slow we look.
  await expect(page.getByText("Thinking")).toBeVisible();
  await expect(page.getByText(`Thought for ${user}`)).toHaveCount(0);
  await page.evaluate(() => fetch("/slow/go", { method: "POST" }));
  await expect(page.getByText(`Thought for ${user}`)).toBeVisible();
  await alive(page);
}

test("the recipe for Next.js", async () => {
  const at = await edge(system, doc("caddyfile").replace("127.0.0.1:3000", new URL(next.url).host));
  const { browser, page, complaints } = await visit(at, "ada");
  try {
    await expect(page.getByText("Hello ada")).toBeVisible();
    await expect(page.getByTestId("session-timer")).toHaveCount(1);
    await page.setExtraHTTPHeaders({ "Session-Gate-User": "root", Session_Gate_User: "root" });
    const home = await page.goto(`${app}/`);
    await expect(page.getByText("Hello ada")).toBeVisible();
    await page.setExtraHTTPHeaders({});
    const html = (await home?.text()) ?? "";
    const nonces = new Set([...html.matchAll(/<script[^>]* nonce="([^"]+)"/g)].map(([, nonce]) => nonce));
    expect(html).toContain("/.session-gate/boot.");
    expect([...nonces]).toHaveLength(1);
    expect(home?.headers()["content-security-policy"]).toContain(`'nonce-${[...nonces][0]}' 'strict-dynamic'`);

    await keeps(page, "ada");
    await streams(page, "ada");

    await page.goto(`${app}/classic`);
    await expect(page.getByText("Classic ada")).toBeVisible();
    await alive(page);

    // The same prerendered page for everybody, and each with the clock.
    const still = await page.goto(`${app}/static`);
    expect(still?.headers()["x-nextjs-cache"]).toBe("HIT");
    const rendered = await page.getByText("Rendered at").textContent();
    await alive(page);
    const other = await visit(at, "bob");
    try {
      await expect(other.page.getByText("Hello bob")).toBeVisible();
      await other.page.goto(`${app}/static`);
      await expect(other.page.getByText(rendered ?? "?")).toBeVisible();
      await alive(other.page);
      expect(other.complaints).toEqual([]);
    } finally {
      await other.browser.close();
    }

    // Going from page to page fetches data; the clock goes on.
    await page.goto(`${app}/note`);
    await page.evaluate(() => Object.assign(window, { same: true }));
    await page.getByRole("link", { name: "To the static page" }).click();
    await expect(page.getByText("Rendered at")).toBeVisible();
    expect(await page.evaluate(() => "same" in window)).toBe(true);
    await alive(page);
    expect(complaints).toEqual([]);

    const refused = await page.evaluate(async () => {
      await fetch("/.session-gate/end", { method: "POST" });
      const answer = await fetch("/note", { headers: { RSC: "1" } });
      return { status: answer.status, code: (await answer.json()).code };
    });
    expect(refused).toEqual({ status: 401, code: "session_completed" });
  } finally {
    await browser.close();
    await at.stop();
  }
});

test("the recipe for Next.js by https under another name", async () => {
  const front = await nginx((dir, port) =>
    doc("nginx")
      .replace("listen 443", `listen 127.0.0.1:${port}`)
      .replace(/ origin\.provider\.com\.(crt|key);/g, ` ${dir}/origin.provider.com.$1;`)
      .replace("127.0.0.1:3000", new URL(next.url).host),
  );
  const origin = `https://localhost:${front.port} {\n\t\t\tca ${front.certificate}\n\t\t}`;
  const caddyfile = doc("caddyfile").replace("http://127.0.0.1:3000", origin);
  const at = await edge(system, caddyfile);
  const { browser, page, complaints } = await visit(at, "eve");
  try {
    await expect(page.getByText("Hello eve")).toBeVisible();
    await keeps(page, "eve");
    await streams(page, "eve");
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
    await at.stop();
    await front.stop();
  }
});
