import { type Browser, expect, test, type TestInfo } from "@playwright/test";
import { beforeItEnds, PATIENCE_MS, start } from "./system.ts";

// What a person does who reads the README: buy, use, be warned, extend, end.

/** A span as the receipt shows it. */
const span = (seconds: number) => `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, "0")}`;
/** Two tokens for each minute that has begun. */
const price = (seconds: number) => 2 * Math.ceil(seconds / 60);

test("buy, see the clock, be warned, extend once, run out, read the receipt", async ({ browser }, info) => {
  test.setTimeout(1_200_000); // for a machine that needs minutes
  // When it warns, twenty seconds are left, or a minute.
  await beforeItEnds((seconds) => story(browser, info, seconds), 60, 240);
});

/** A session of the demo from its sale to its receipt. False if it was over before it was extended. */
async function story(browser: Browser, info: TestInfo, seconds: number): Promise<boolean> {
  const system = await start("--duration", `${seconds}s`);
  const half = seconds / 2; // what one more is
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const problems: string[] = [];
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") problems.push(m.text());
  });
  page.on("pageerror", (e) => problems.push(String(e)));
  const shot = (name: string) => page.screenshot({ path: info.outputPath(`${name}.png`) });
  const buyAndExtend = async () => {
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
    await expect(timer).toContainText(/^\d:\d\d/);
    await shot("2-app");
    const seen = await timer.textContent();
    await expect(timer).not.toHaveText(seen ?? "");

    // The app works: another page, a form, the clock on each.
    await page.goto(`${system.app}/notes/new`);
    await expect(timer).toBeVisible();

    const warning = page.getByTestId("session-warning");
    await expect(warning).toBeVisible({ timeout: PATIENCE_MS + 1000 * seconds });
    const extend = page.getByTestId("extend-session");
    await expect(extend).toContainText(`${price(half)}`); // its price
    await expect(extend).toBeEnabled(); // a dialog that opens by itself takes no click at once
    await shot("3-warning");
    await extend.click();
    await expect(warning).toBeHidden();
    await expect(timer).toContainText(/^\d:\d\d/);
    await shot("4-extended");
  };

  try {
    try {
      await buyAndExtend();
    } catch (error) {
      if (!page.url().startsWith(`${system.marketplace}/session/complete`)) throw error;
      return false;
    }
    await page.waitForURL(`${system.marketplace}/session/complete?session_id=*`, { timeout: PATIENCE_MS + 2000 * seconds });
    const receipt = page.getByTestId("receipt");
    await expect(receipt).toHaveAttribute("data-status", /expired|completed/);
    await expect(page.getByTestId("tokens-captured")).toContainText(`${price(seconds) + price(half)}`);
    // Its account of time: what was bought, what the app's page added, and no second unaccounted for.
    await expect(page.getByTestId("times").locator("tbody tr")).toHaveText([
      new RegExp(`Time bought, clock started.*\\+${span(seconds)}`, "s"),
      /Entered/,
      new RegExp(`Added in the app.*\\+${span(half)}`, "s"),
      /Time used up/,
    ]);
    await expect(page.getByTestId("times-sum")).toHaveText(span(seconds + half));
    await expect(page.getByTestId("pricing")).toHaveText(
      new RegExp(
        `first one first: \\d min for \\d tokens?, ${span(seconds)} used, \\d tokens? paid; \\d+ (min|sec) for \\d tokens?, ${span(half)} used, \\d tokens? paid\\.$`,
      ),
    );
    await expect(page.getByTestId("new-balance")).toContainText(`${500 - price(seconds) - price(half)}`);
    await shot("5-receipt");
    // A fetch that is refused because the session is over is the one thing that
    // a browser reports by itself.
    expect(problems.filter((p) => !/status of 401/.test(p))).toEqual([]);
    return true;
  } finally {
    await page.close();
    await system.stop();
  }
}
