import { readFile } from "node:fs/promises";
import { expect, type Page, test } from "@playwright/test";
import { look, violations, watch } from "./dashboard.ts";
import { api, type Session, type System, start } from "./system.ts";

// The demo's shop, as a visitor goes through it: three apps with their own terms, what they cost, what comes
// back. Each page is looked at on phone and desktop, in light and dark.

interface Entry {
  kind: string;
  amount: number;
}

/** The number that an element shows. */
const figure = async (page: Page, id: string) => Number(await page.getByTestId(id).textContent());
const visible = (page: Page, id: string) => page.locator(`[data-testid=${id}]:visible`);

/** Buys an app's plan on its page and waits for the clock in the app. */
async function buyAndEnter(page: Page, system: System, app: string, plan: number): Promise<void> {
  const sold = system.apps.find((one) => one.name === app);
  await page.goto(`${system.marketplace}/apps/${sold?.provider_id}?plan=${plan}`);
  await visible(page, "buy").click();
  await page.waitForURL(`${sold?.app}/`);
  await expect(page.getByTestId("session-timer")).toBeVisible();
}

/** Ends the session from the clock, and comes to its receipt; gives the session's id. */
async function endByTheClock(page: Page, system: System): Promise<string> {
  // Five minutes before the end, the warning lies over the clock, and has the button, too.
  const warning = page.getByTestId("session-warning");
  await page.getByTestId("session-timer").waitFor();
  if (!(await warning.isVisible())) await page.getByTestId("session-timer").click();
  await page.getByTestId("end-session").click();
  await page.getByTestId("confirm-end-session").click();
  await page.waitForURL(`${system.marketplace}/session/complete?session_id=*`);
  return new URL(page.url()).searchParams.get("session_id") ?? "";
}

/** Holds a receipt against the service's own ledger. */
async function addsUp(page: Page, system: System, id: string): Promise<void> {
  const [captured, released] = [await figure(page, "tokens-captured"), await figure(page, "tokens-released")];
  const session = await api<Session & { user_id: string; tokens_allocated: number }>(system, "GET", `/api/v1/sessions/${id}`);
  expect(session.settlement).toMatchObject({ captured, released });
  expect(captured + released).toBe(session.tokens_allocated);
  const { entries } = await api<{ entries: Entry[] }>(system, "GET", `/api/v1/users/${session.user_id}/ledger?session_id=${id}`);
  const sum = (kind: string) => entries.filter((e) => e.kind === kind).reduce((all, e) => all + e.amount, 0);
  expect([sum("hold"), sum("capture"), sum("release")]).toEqual([captured + released, captured, released]);
  await expect(page.getByTestId("adds-up")).toHaveText(`${captured} paid + ${released} given back = ${captured + released} set aside`);
}

test.describe("with ten minutes as measure", () => {
  let system: System;
  test.beforeAll(async () => {
    system = await start();
  });
  test.afterAll(() => system?.stop());

  test("a drawing, left early: the rest comes back", async ({ page }, info) => {
    const problems = watch(page);
    await page.goto(system.marketplace);
    await expect(page.getByTestId("app")).toHaveCount(3);
    await look(page, info, "home");
    const rosette = page.getByTestId("app").filter({ hasText: "Rosette" });
    await expect(rosette.getByTestId("terms")).toContainText("the time you did not use comes back");
    await rosette.getByTestId("open-app").click();

    // The total follows the choice.
    await page.getByRole("radio", { name: /2 h/ }).check();
    await expect(page.getByTestId("total-2")).toContainText("324");
    await page.getByRole("radio", { name: /10 min/ }).check();
    await expect(page.getByTestId("total-0")).toContainText("Left in your balance470");
    await expect(page.getByTestId("total-2")).toBeHidden();
    await look(page, info, "product");
    await visible(page, "buy").click();

    const app = system.apps[1]?.app ?? "";
    await page.waitForURL(`${app}/`);
    await expect(page.getByTestId("session-timer")).toBeVisible();
    // It draws, by keys too, under a policy that allows it no connection; and it saves.
    const ink = () => page.evaluate(() => localStorage.getItem("rosette-drawing")?.length ?? 0);
    await page.getByRole("button", { name: "Surprise me" }).click();
    const surprised = await ink();
    expect(surprised).toBeGreaterThan(500);
    await page.locator("#board").focus();
    for (const key of ["Space", "ArrowRight", "ArrowRight", "ArrowDown", "Space"]) await page.keyboard.press(key);
    expect(await ink()).toBeGreaterThan(surprised);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save PNG" }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe("rosette.png");
    const png = await readFile(await saved.path());
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    expect(png.readUInt32BE(16)).toBe(2048);
    await look(page, info, "rosette");

    const id = await endByTheClock(page, system);
    await expect(page.getByTestId("receipt")).toHaveAttribute("data-status", "completed");
    await expect(page.getByTestId("receipt")).toContainText("the rest is back in your balance");
    await addsUp(page, system, id);
    expect(await figure(page, "tokens-released")).toBeGreaterThan(0);
    await expect(page.getByTestId("times").locator("tbody tr")).toHaveText([
      /Time bought.*\+10:00/s,
      /Entered, clock started/,
      /Ended by you, not used.*−\d:\d\d/s,
    ]);
    // What was used and what was not are the ten minutes.
    const seconds = (text = "") => text.split(":").reduce((all, part) => all * 60 + Number(part), 0);
    const unused = /−(\d:\d\d)/.exec((await page.getByTestId("times").locator("tbody tr").last().textContent()) ?? "")?.[1];
    expect(seconds(unused) + seconds((await page.getByTestId("times-sum").textContent()) ?? "")).toBe(600);
    await look(page, info, "receipt-released");
    expect(problems.filter((p) => !/status of 401/.test(p))).toEqual([]);
  });

  test("a puzzle, laid aside: paused seconds are not charged", async ({ page }, info) => {
    const problems = watch(page);
    await buyAndEnter(page, system, "Quadrille", 1);
    await look(page, info, "quadrille-home");
    await page.getByRole("link", { name: /Puzzle 1/ }).click();
    await expect(page.getByTestId("session-timer")).toBeVisible();
    // By keys, by pointer, and by hints to the end.
    await page.getByRole("button", { name: "Row 1, column 1: open" }).focus();
    for (const key of ["ArrowRight", "x"]) await page.keyboard.press(key);
    await expect(page.getByRole("button", { name: "Row 1, column 2: crossed out" })).toBeFocused();
    await page.getByRole("button", { name: "Row 1, column 5: open" }).click();
    await expect(page.getByRole("button", { name: "Row 1, column 5: filled" })).toBeVisible();
    await look(page, info, "quadrille");
    const said = page.getByRole("status").filter({ hasText: /./ });
    for (let hints = 0; hints < 60 && !/found it/.test((await said.first().textContent()) ?? ""); hints++) {
      const answered = page.waitForResponse(/\/(hint|check)$/);
      await page.getByRole("button", { name: "Hint" }).click();
      await answered;
    }
    await expect(said.first()).toHaveText("A boat under sail! You found it.");

    await page.getByTestId("session-timer").click();
    await page.getByTestId("pause-session").click();
    await expect(page.getByTestId("resume-session")).toBeVisible();
    await look(page, info, "quadrille-paused");
    // The app is shut meanwhile: it can't be used on a clock that stands still.
    expect(await page.evaluate(() => fetch("/puzzles/1/check", { method: "POST" }).then((r) => r.status))).toBe(423);
    // The shop says so, too.
    const shop = await page.context().newPage();
    await shop.goto(`${system.marketplace}/history`);
    await expect(shop.locator("[data-status=paused]")).toContainText("Paused");
    await shop.goto(system.marketplace);
    await expect(shop.getByTestId("running")).toContainText("Quadrille is paused");
    await shop.close();
    await page.getByTestId("resume-session").click();
    await expect(page.getByTestId("resume-session")).toBeHidden();

    // More than the offer is agreed to at the shop.
    await page.goto(`${system.marketplace}/consent?app=prov_quadrille`);
    await expect(page.getByRole("heading", { name: "Add time to Quadrille?" })).toBeVisible();
    await page.getByRole("radio", { name: /\+ 5 min/ }).check();
    await look(page, info, "consent");
    await visible(page, "agree").click();
    await expect(page.getByRole("heading", { name: "You are set." })).toBeVisible();
    await page.getByRole("link", { name: "Open Quadrille here" }).click();
    await expect(page.getByTestId("session-timer")).toContainText(/2[0-5]:/);

    const id = await endByTheClock(page, system);
    await addsUp(page, system, id);
    await expect(page.getByTestId("times").locator("tbody tr")).toHaveText([
      /Time bought.*\+20:00/s,
      /Entered, clock started/,
      /Paused/,
      /Went on: \d:\d\d not charged/,
      /Added here.*\+5:00/s,
      /Ended by you, not used/,
    ]);
    await expect(page.getByTestId("time-paused")).toHaveText(/^(?!0:00)\d:\d\d$/);
    await look(page, info, "receipt-paused");
    expect(problems.filter((p) => !/status of (401|423)/.test(p))).toEqual([]);
  });

  test("every session of every app is in the history, every token in the statement", async ({ page }, info) => {
    const problems = watch(page);
    await buyAndEnter(page, system, "Saltmarsh", 0);
    const first = await endByTheClock(page, system);
    // This app charges in full, and its receipt says so.
    await expect(page.getByTestId("receipt")).toContainText("This app charges for the whole time bought");
    await addsUp(page, system, first);
    await expect(page.getByTestId("tokens-captured")).toHaveText("10");
    await buyAndEnter(page, system, "Quadrille", 0);

    await page.goto(`${system.marketplace}/history`);
    await expect(page.getByTestId("history").getByRole("listitem")).toHaveText([/Quadrille.*Running.*5 set aside/s, /Saltmarsh.*Ended by you.*10 paid/s]);
    await look(page, info, "history");
    await page.getByRole("link", { name: "Tokens", exact: true }).click();
    await expect(page.getByTestId("statement").locator("tbody tr")).toHaveText([
      /Set aside at purchase Quadrille.*\+5−5485/s,
      /Paid to the app Saltmarsh.*−10490/s,
      /Set aside at purchase Saltmarsh.*\+10−10490/s,
      /Welcome tokens.*\+500500/s,
    ]);
    await page.getByTestId("top-up").click();
    await expect(page.getByTestId("topped-up")).toHaveText("500 tokens added. Enjoy.");
    await expect(page.getByTestId("statement").locator("tbody tr").first()).toHaveText(/Top-up.*\+500985/s);
    await look(page, info, "tokens");
    await page.getByRole("link", { name: "Saltmarsh" }).first().click();
    await expect(page.getByTestId("receipt")).toHaveAttribute("data-status", "completed");
    expect(problems).toEqual([]);
  });
});

test.describe("with prices that a balance does not cover", () => {
  let system: System;
  test.beforeAll(async () => {
    system = await start("--duration", "4h");
  });
  test.afterAll(() => system?.stop());

  test("low balance: how many tokens are missing, a top-up, and on", async ({ page }, info) => {
    const problems = watch(page);
    await buyAndEnter(page, system, "Saltmarsh", 1); // 480 of 500
    await page.goto(system.marketplace);
    await expect(page.getByTestId("low-balance")).toContainText("You have 20 tokens to spend, and 480 set aside");
    await expect(page.getByTestId("open-app")).toHaveCount(0);
    await expect(page.getByTestId("price")).toContainText(["220 tokens short", "460 tokens short"]);
    await look(page, info, "home-low");

    // In the consent page: the way back leads there.
    await page.goto(`${system.marketplace}/consent?app=prov_demo`);
    await expect(page.getByTestId("low-balance")).toContainText("the least you need is 220 tokens more");
    await look(page, info, "consent-low");

    // From an app's card to its page, with what was missing.
    await page.goto(system.marketplace);
    await page.getByTestId("app").filter({ hasText: "Quadrille" }).getByTestId("top-up").click();
    await page.waitForURL(`${system.marketplace}/apps/prov_quadrille?notice=topup`);
    await expect(page.getByTestId("balance-available")).toHaveText("520");
    await page.getByRole("radio", { name: /24 h/ }).check();
    await expect(visible(page, "top-up")).toBeVisible();
    await expect(page.getByText("You are 776 tokens short.")).toBeVisible();
    await look(page, info, "product-low");

    // A form from before is answered with what is missing.
    const stale = await page.context().newPage();
    await stale.goto(`${system.marketplace}/apps/prov_quadrille?plan=1`);
    await page.goto(`${system.marketplace}/apps/prov_quadrille?plan=0`);
    await visible(page, "buy").click();
    await page.waitForURL(`${system.apps[2]?.app}/`);
    await visible(stale, "buy").click();
    await expect(stale.getByTestId("insufficient")).toContainText("You are 80 tokens short");
    await look(stale, info, "poor");
    await stale.getByTestId("top-up").click();
    await stale.waitForURL(`${system.marketplace}/apps/prov_quadrille?notice=topup&plan=1`);
    await expect(stale.getByRole("radio", { name: /8 h/ })).toBeChecked();
    await expect(visible(stale, "buy")).toBeVisible();
    expect(await violations(stale)).toEqual([]);
    await stale.close();
    expect(problems).toEqual([]);
  });

  test("without scripts the shop sells all the same", async ({ browser }) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(`${system.marketplace}/apps/prov_quadrille`);
    await page.getByRole("radio", { name: /24 h/ }).check();
    await visible(page, "top-up").click();
    await expect(page.getByTestId("balance-available")).toHaveText("1000");
    await page.getByRole("radio", { name: /2 h/ }).check();
    await page.keyboard.press("Enter"); // the form's default button
    await page.waitForURL(`${system.apps[2]?.app}/`);
    await page.goto(`${system.marketplace}/history`);
    await page.getByRole("link", { name: /Quadrille/ }).click();
    await page.getByTestId("end").click();
    await page.getByTestId("end-confirm").click();
    await expect(page.getByTestId("adds-up")).toContainText("= 120 set aside");
    await context.close();
  });
});
