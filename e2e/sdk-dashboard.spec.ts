import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { buildPackage, root, type Served, serve } from "./examples.ts";
import { api, buy, start, type System, withinOneDay } from "./system.ts";

// The package's dashboard, in a provider's own page, over the real session service: its
// figures, its live connection, and how it looks.

let system: System;
let app: Served;
test.beforeAll(async () => {
  test.setTimeout(900_000); // npm ci and builds
  buildPackage();
  system = await start();
  app = await serve("dashboard", {
    SESSIONGATE_API: system.api,
    SESSIONGATE_PROVIDER: system.provider_id,
    SESSIONGATE_PROVIDER_KEY: system.provider_key,
  });
});
test.afterAll(async () => {
  app?.stop();
  await system?.stop();
});

const axe = readFileSync(join(root, "sdk-inject/node_modules/axe-core/axe.min.js"), "utf8");

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await Reflect.get(window, "axe").run();
    return found.violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id}: ${nodes[0]?.html}`);
  });
}

test("shows a provider's figures, and what happens as it happens", async ({ page }, info) => {
  test.setTimeout(900_000); // it may wait for a day to begin
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (said) => said.type() === "error" && !said.location().url.endsWith("favicon.ico") && errors.push(said.text()));
  const sockets: string[] = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await withinOneDay();
  const first = await buy(system, { user: "ada", seconds: 3000, tokens: 25 });

  await page.goto(app.url);
  const active = page.getByTestId("stat-active").locator("dd");
  await expect(active).toHaveText("1");
  await expect(page.getByTestId("connection")).toHaveText("Live");
  expect(sockets).toEqual([`${app.url.replace("http", "ws")}/api/v1/providers/${system.provider_id}/live`]);
  const row = page.getByTestId(`session-${first.session.id}`);
  await expect(row).toContainText("ada");
  await expect(row).toContainText("Active");
  await expect(row).toContainText("25");

  // Nobody asks for what follows: it is told.
  const second = await buy(system, { user: "bob", seconds: 3000, tokens: 40 });
  await expect(active).toHaveText("2");
  await expect(page.getByTestId(`session-${second.session.id}`)).toContainText("bob");
  await api(system, "POST", `/api/v1/sessions/${first.session.id}/complete`);
  await expect(row).toContainText("Completed");
  await expect(active).toHaveText("1");

  // The figures by day follow by the roll-up, which a busy machine does less often.
  await page.reload();
  await expect(page.getByTestId("stat-sessions-today").locator("dd")).toHaveText("2", { timeout: 300_000 });
  const chart = page.getByTestId("chart-count");
  await expect(chart.getByRole("img")).toHaveAccessibleName(/^Sessions by day\. 2 in all; most on .+: 2\.$/);
  await expect(chart.locator(".sgd-bar").last()).toHaveAttribute("height", "100");
  await chart.getByText("Show as a table").click();
  await expect(chart.getByRole("row").last()).toContainText("2");
  await expect(chart.getByRole("row")).toHaveCount(31);
  await chart.getByText("Show as a table").click();

  for (const colorScheme of ["light", "dark"] as const)
    for (const [device, viewport] of [
      ["desktop", { width: 1200, height: 900 }],
      ["phone", { width: 390, height: 800 }],
    ] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.screenshot({ path: info.outputPath(`dashboard-${device}-${colorScheme}.png`), fullPage: true });
      expect(await violations(page), `${device}, ${colorScheme}`).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  await page.emulateMedia({ forcedColors: "active" });
  await page.screenshot({ path: info.outputPath("dashboard-forced.png"), fullPage: true });
  await page.emulateMedia({ forcedColors: "none" });
  await page.evaluate(() => {
    document.documentElement.dir = "rtl";
  });
  await page.screenshot({ path: info.outputPath("dashboard-rtl.png"), fullPage: true });
  expect(errors).toEqual([]);
});

test("a history longer than a page is read page by page", async ({ page }) => {
  for (let i = 0; i < 21; i++) await buy(system, { user: `user_${i}`, seconds: 3000 + i, tokens: 1 });
  await page.goto(app.url);
  const rows = page.getByTestId("session-history").locator("tbody tr");
  await expect(rows).toHaveCount(20);
  // The package waits ten seconds for an answer, and says so when none came: then the button is pressed again.
  const more = page.getByRole("button", { name: "Show more" });
  await expect(async () => {
    if (await more.isVisible()) await more.click();
    await expect(rows).not.toHaveCount(20, { timeout: 15_000 });
  }).toPass();
  const ids = await rows.evaluateAll((all) => all.map((one) => one.getAttribute("data-testid")));
  expect(new Set(ids).size).toBe(ids.length);
});

test("a service that is away is said, and asked again", async ({ page }) => {
  await page.route("**/stats", (route) => route.abort());
  await page.goto(app.url);
  const alert = page.getByRole("alert");
  await expect(alert).toContainText("No response from the session service.");
  await page.unroute("**/stats");
  // It also asks by itself, every half a minute, and may be faster than the press.
  const again = alert.getByRole("button", { name: "Try again" });
  await expect(async () => {
    if (await again.isVisible()) await again.click({ timeout: 5_000 });
    await expect(alert).toHaveCount(0, { timeout: 15_000 });
  }).toPass();
  await expect(page.getByTestId("stat-active")).toBeVisible();
});
