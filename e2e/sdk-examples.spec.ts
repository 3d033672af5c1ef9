import { expect, type Page, test } from "@playwright/test";
import { buildPackage, type Served, serve } from "./examples.ts";
import { buy, read, start, type System } from "./system.ts";

// The examples of the provider's package, built and served as their readers would,
// against the real session service: by code, and behind the gate.

let system: System;
test.beforeAll(async () => {
  test.setTimeout(900_000); // npm ci and builds
  buildPackage();
  system = await start();
});
test.afterAll(async () => {
  for (const one of served.values()) one.stop();
  await system?.stop();
});

/** The examples that were built and are served, until the last test of the worker has run. */
const served = new Map<string, Served>();
async function example(name: string): Promise<Served> {
  const app = served.get(name) ?? (await serve(name, { SESSIONGATE_API: system.api }));
  served.set(name, app);
  return app;
}

function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on("console", (m) => m.type() === "error" && list.push(m.text()));
  page.on("pageerror", (e) => list.push(String(e)));
  return list;
}

const tokenOf = (launch: string) => new URL(launch).searchParams.get("session") ?? "";
const extension = { additional_seconds: 600, tokens: 5, max_count: 1 };
/** Times of a session of 15 minutes that was entered within five, and of the same session with ten more. */
const [bought, extended] = [/1[0-4]:\d\d/, /(1[5-9]|2[0-4]):\d\d/];

for (const [name, path] of [
  ["vanilla", "/"],
  ["react", "/"],
  ["vue", "/"],
  ["nextjs", "/"],
  ["nextjs", "/classic"],
] as const)
  test(`${name}${path}: opens, counts, extends, ends`, async ({ page }, info) => {
    test.setTimeout(900_000); // npm ci and a build
    const app = await example(name);
    const errors = complaints(page);
    const sold = await buy(system, { user: "ada", seconds: 900, tokens: 25, extension });
    await page.goto(`${app.url}${path}?session=${tokenOf(sold.launch_url)}&keep=1`);
    const state = page.getByTestId("state");
    const timer = page.getByTestId("session-timer");
    await expect(state).toContainText(/1[0-4]:\d\d left of 25 tokens/);
    await expect(timer).toHaveCount(1);
    await expect(timer).toContainText(bought);
    expect(new URL(page.url()).search).toBe("?keep=1");
    const seen = await timer.textContent();
    await expect(timer).not.toHaveText(seen ?? "");

    await page.locator("#extend").click();
    await expect(timer).toContainText(extended);
    await page.screenshot({ path: info.outputPath("extended.png") });

    await timer.click();
    await expect(page.getByTestId("session-panel")).toBeVisible();
    await page.keyboard.press("Escape");
    await page.locator("#end").click();
    await page.waitForURL(`${system.marketplace}/session/complete?session_id=${sold.session.id}`);
    expect((await read(system, sold.session.id)).status).toBe("completed");
    // What the page says in parting comes after the end, and is refused.
    expect(errors.filter((e) => !e.includes("favicon") && !e.includes("404") && !e.includes("409"))).toEqual([]);
  });

test("nextjs: the launch token stays out of the address after refresh(), a hash, another entry and Back", async ({ page }) => {
  test.setTimeout(900_000); // npm ci and a build
  const app = await example("nextjs");
  const errors = complaints(page);
  const sold = await buy(system, { user: "ada", seconds: 900, tokens: 25 });
  await page.goto(`${app.url}/?session=${tokenOf(sold.launch_url)}&keep=1`);
  const state = page.getByTestId("state");
  await expect(state).toContainText(/1[0-4]:\d\d left/);
  const loaded = await page.evaluate(() => performance.timeOrigin);
  const route = (method: "refresh" | "push" | "back", to?: string) =>
    page.evaluate(([method, to]) => Reflect.get(window, "next").router[method as string](to), [method, to] as const);
  const shows = async (address: string) => {
    await expect.poll(() => page.evaluate(() => location.pathname + location.search + location.hash)).toBe(address);
    await expect(state).toContainText(/1[0-4]:\d\d left/);
    await expect(page.getByTestId("session-timer")).toHaveCount(1);
  };
  await shows("/?keep=1");
  // The router has asked the server for the page again when the server has answered.
  const refreshed = page.waitForResponse((answer) => answer.request().headers().rsc === "1");
  await route("refresh");
  await refreshed;
  await shows("/?keep=1");
  await route("push", "#part");
  await shows("/?keep=1#part");
  await route("push", "/?day=2");
  await shows("/?day=2");
  await route("back");
  await shows("/?keep=1#part");
  await route("back");
  await shows("/?keep=1");
  expect(await page.evaluate(() => performance.timeOrigin), "the page was not loaded again").toBe(loaded);
  expect(errors.filter((e) => !e.includes("favicon") && !e.includes("404"))).toEqual([]);
});

test("a page with the package behind the gate shows one timer, and ends like any other", async ({ page }) => {
  const app = await example("vanilla");
  const gated = await start("--origin", app.url);
  try {
    const sold = await buy(gated, { user: "ada", seconds: 300, tokens: 25, extension });
    await page.goto(sold.launch_url);
    await expect(page.getByTestId("state")).toContainText(/\d:\d\d left of 25 tokens/);
    // Both clocks are there once each script has drawn, which the page's own text and a tick of the timer show.
    const timer = page.getByTestId("session-timer").first();
    for (let ticks = 0; ticks < 2; ticks++) await expect(timer).not.toHaveText((await timer.textContent()) ?? "");
    await expect(page.getByTestId("session-timer")).toHaveCount(1);
    await page.locator("#end").click();
    await page.waitForURL(`${gated.marketplace}/session/complete?session_id=${sold.session.id}`);
    expect((await read(gated, sold.session.id)).status).toBe("completed");
  } finally {
    await gated.stop();
  }
});
