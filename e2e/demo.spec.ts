import { expect, test } from "@playwright/test";
import { type System, start } from "./system.ts";

// What a person does who reads the README: buy, use, be warned, extend, end.

let system: System;

test.beforeAll(async () => {
  system = await start("--duration", "60s");
});

test.afterAll(() => system.stop());

test("buy, see the clock, be warned, extend once, run out, read the receipt", async ({ page }, info) => {
  const problems: string[] = [];
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") problems.push(m.text());
  });
  page.on("pageerror", (e) => problems.push(String(e)));
  const shot = (name: string) => page.screenshot({ path: info.outputPath(`${name}.png`) });

  await page.goto(system.marketplace);
  await expect(page.getByTestId("balance-available")).toContainText("500");
  await shot("1-marketplace");
  await expect(page.getByTestId("app")).toHaveCount(3);
  await page.getByTestId("open-app").first().click();
  await page.locator("[data-testid=buy]:visible").click();

  // The app, which knows nothing of us, on its own address, without the token.
  await page.waitForURL(`${system.app}/**`);
  expect(page.url()).toBe(`${system.app}/`);
  const timer = page.getByTestId("session-timer");
  await expect(timer).toBeVisible();
  await expect(timer).toContainText(/[01]:\d\d/);
  await shot("2-app");
  const seen = await timer.textContent();
  await expect(timer).not.toHaveText(seen ?? "");

  // The app works: another page, a form, the clock on each.
  await page.goto(`${system.app}/notes/new`);
  await expect(timer).toBeVisible();

  const warning = page.getByTestId("session-warning");
  await expect(warning).toBeVisible();
  const extend = page.getByTestId("extend-session");
  await expect(extend).toContainText("2"); // its price
  await expect(extend).toBeEnabled(); // a dialog that opens by itself takes no click at once
  await shot("3-warning");
  await extend.click();
  await expect(warning).toBeHidden();
  await expect(timer).toContainText(/0:[2-5]\d/);
  await shot("4-extended");

  await page.waitForURL(`${system.marketplace}/session/complete?session_id=*`);
  const receipt = page.getByTestId("receipt");
  await expect(receipt).toHaveAttribute("data-status", /expired|completed/);
  await expect(page.getByTestId("tokens-captured")).toContainText("4");
  // Its account of time: what was bought, what the app's page added, and no second unaccounted for.
  await expect(page.getByTestId("times").locator("tbody tr")).toHaveText([
    /Time bought, clock started.*\+1:00/s,
    /Entered/,
    /Added in the app.*\+0:30/s,
    /Time used up/,
  ]);
  await expect(page.getByTestId("times-sum")).toHaveText("1:30");
  await expect(page.getByTestId("pricing")).toHaveText(
    /first one first: 1 min for \d tokens?, 1:00 used, \d tokens? paid; 30 sec for \d tokens?, 0:30 used, \d tokens? paid\.$/,
  );
  await expect(page.getByTestId("new-balance")).toContainText("496");
  await shot("5-receipt");
  // A fetch that is refused because the session is over is the one thing that
  // a browser reports by itself.
  expect(problems.filter((p) => !/status of 401/.test(p))).toEqual([]);
});
