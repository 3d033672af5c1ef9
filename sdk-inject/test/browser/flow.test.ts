import { expect, test } from "vitest";
import { until } from "../fake";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

const b = useBrowser();
const soon = { timeout: PAGE_LIMIT_MS };
/** For so long, a dialog that opened by itself refuses a purchase. */
const GUARD_MS = [500, 700] as const;
/** For so long, the timer says that time was added. */
const ADDED_MS = [2500, 2500] as const;
/** Between two steps of the countdown after the end. */
const COUNTDOWN_MS = [1000, 1000] as const;
/** What an app gets to save its work. */
const SAVING_MS = [5000, 5000] as const;

test("the chip shows the time and moves nothing on the page", async () => {
  await b.page.addInitScript(() => {
    Object.assign(window, { shift: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        Object.assign(window, { shift: Reflect.get(window, "shift") + Reflect.get(entry, "value") });
    }).observe({ type: "layout-shift", buffered: true });
  });
  await b.open("seconds=582");
  const chip = b.page.getByTestId("session-timer");
  await chip.waitFor();
  expect(await chip.textContent()).toMatch(/^[5-9]:[0-5]\d$/);
  await b.clockIsRight();
  expect(await chip.getAttribute("role")).toBe("timer");
  // A timer is not live unless it says so.
  expect((await chip.getAttribute("aria-live")) ?? "off").toBe("off");
  await b.page.waitForTimeout(1200);
  expect(await b.page.evaluate(() => Reflect.get(window, "shift"))).toBe(0);
  expect(b.errors).toEqual([]);
});

test("the warning: focus on its heading, Escape closes, focus returns, and it stays closed", async () => {
  await b.open("seconds=590");
  await b.page.locator("#note").focus();
  await b.page.getByTestId("session-timer").waitFor();
  b.endIn(290);
  await b.lookAgain();
  const dialog = b.page.getByTestId("session-warning");
  await dialog.waitFor();
  await b.page.evaluate(() =>
    document.addEventListener("keydown", (e) => Object.assign(window, { saw: e.key })),
  );
  const focused = () => b.page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.id);
  expect(await focused()).toBe("title");
  await b.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  expect(await b.page.evaluate(() => document.activeElement?.id)).toBe("note");
  expect(await b.page.evaluate(() => Reflect.get(window, "saw"))).toBeUndefined();
  await b.open("keep=1");
  await b.page.locator("session-gate dialog").waitFor({ state: "attached" });
  await b.page.waitForTimeout(1200);
  expect(await dialog.count()).toBe(0);
});

test("a key that was meant for the page buys nothing", async () => {
  const endGuard = await b.hold(GUARD_MS);
  const endAdded = await b.hold(ADDED_MS);
  await b.open("seconds=290");
  const extend = b.page.getByTestId("extend-session");
  await extend.waitFor();
  await b.page.keyboard.press("Enter");
  await b.page.waitForTimeout(100);
  expect(b.gate.calls.some(({ name }) => name === "extend")).toBe(false);
  expect(await extend.getAttribute("aria-disabled")).toBe("true");
  await endGuard();
  await b.keysRest();
  // With the keyboard, as meant.
  await b.page.keyboard.press("Tab");
  await b.page.keyboard.press("Enter");
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  expect(b.gate.session().extension.used).toBe(1);
  await b.clockIsRight();
  expect(await b.page.getByTestId("session-timer").getAttribute("data-added")).toBe("+10:00");
  expect(await b.page.getByRole("status").first().textContent()).toBe("10 minutes added");
  await endAdded();
  await expect.poll(() => b.page.getByTestId("session-timer").getAttribute("data-added"), soon).toBeNull();
});

test("a purchase whose answer is lost is made once", async () => {
  await b.open("seconds=400&offer=flaky");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-panel").waitFor({ state: "hidden" });
  const keys = b.gate.calls
    .filter(({ name }) => name === "extend")
    .map(({ headers }) => headers["idempotency-key"]);
  expect(keys.length).toBe(2);
  expect(new Set(keys).size).toBe(1);
  expect(b.gate.session().extension.used).toBe(1);
});

test.each([
  ["poor", "You don’t have enough tokens for this."],
  ["consent", "Approve at market.example"],
])("a purchase refused (%s) says why", async (offer, words) => {
  await b.open(`seconds=400&offer=${offer}`);
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByRole("alert").getByText(words).waitFor();
  expect(b.errors).toEqual([]);
});

test("ending asks first, then leads to the receipt with the session's id", async () => {
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("end-session").click();
  expect(b.gate.calls.some(({ name }) => name === "end")).toBe(false);
  await b.page.getByTestId("confirm-end-session").click();
  await b.page.waitForURL(/\/receipt\?session_id=0195c1a2-7b3e-7c4d-9e5f-000000000001$/);
});

test("a session of two seconds shows no dialog, then the end, and leads back", async () => {
  const release = await b.hold(COUNTDOWN_MS);
  await b.open("seconds=2&total=2");
  // Hidden already, where the page took two seconds to load.
  await b.page.getByTestId("session-timer").waitFor({ state: "attached" });
  expect(await b.page.getByTestId("session-warning").count()).toBe(0);
  await b.page.getByTestId("session-ended").waitFor();
  await b.page.keyboard.press("Escape");
  expect(await b.page.getByTestId("session-ended").isVisible()).toBe(true);
  expect(await b.page.getByTestId("session-timer").isVisible()).toBe(false);
  await release();
  await b.page.waitForURL(/\/receipt\?session_id=/);
});

test("paused and resumed", async () => {
  await b.open("seconds=590&pause=1");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("pause-session").click();
  await b.page.getByTestId("session-paused").waitFor();
  await b.page.getByTestId("resume-session").click();
  await b.page.getByTestId("session-paused").waitFor({ state: "hidden" });
  await b.clockIsRight();
});

test("what ends in one tab ends in the other", async () => {
  await b.open("seconds=400&back=off");
  const other = await b.open("keep=1", await b.tab());
  await other.getByTestId("session-timer").waitFor();
  b.gate.change({ status: "completed" });
  await b.page.bringToFront();
  await b.lookAgain();
  await b.page.getByTestId("session-ended").waitFor();
  await other.getByTestId("session-ended").waitFor();
});

test("moving the timer is remembered", async () => {
  await b.open("seconds=400");
  const chip = b.page.getByTestId("session-timer");
  const before = await chip.boundingBox();
  await chip.click();
  await b.page.getByTestId("move-timer").click();
  // What moves it is loaded first.
  await expect.poll(async () => (await chip.boundingBox())?.x, soon).toBeLessThan(before?.x ?? 0);
  await b.open("keep=1");
  await chip.waitFor();
  expect((await chip.boundingBox())?.x).toBeLessThan(before?.x ?? 0);
});

test("back from the back/forward cache or not, the clock is right", async () => {
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.goto(`${b.base}/receipt`);
  const sendLastHeartbeat = ({ name, body }: (typeof b.gate.calls)[number]) =>
    name === "heartbeat" && (body as { active?: boolean }).active === false;
  await expect.poll(() => b.gate.calls.some(sendLastHeartbeat), soon).toBe(true);
  b.gate.change({ expires_at: b.gate.session().expires_at + 3600, duration_limit_seconds: 4200 });
  await b.page.goBack();
  await b.page
    .getByTestId("session-timer")
    .getByText(/^1:0\d:\d\d$/)
    .waitFor();
});

test("a little more time, bought elsewhere, closes the warning and opens no other", async () => {
  await b.open("seconds=280");
  await b.page.getByTestId("session-warning").waitFor();
  b.gate.change({ expires_at: b.gate.session().expires_at + 10 });
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  await b.page.waitForTimeout(1500);
  expect(await b.page.getByTestId("session-warning").isVisible()).toBe(false);
});

test("a deadline brought forward is warned of", async () => {
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  b.endIn(170);
  await b.lookAgain();
  await b.page
    .getByTestId("session-warning")
    .getByText(/^[0-2]:\d\d$/)
    .waitFor();
});

test("an offer that was used up is asked for at the marketplace", async () => {
  await b.open("seconds=400&offer=none");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("extend-session").getByText("More time").click();
  const link = b.page.getByRole("alert").getByRole("link");
  expect(await link.getAttribute("href")).toBe("https://market.example/consent/1");
  expect(await link.getAttribute("target")).toBe("_blank");
});

test("the timer is dragged, stays there, opens nothing by it, and is remembered", async () => {
  await b.open("seconds=400");
  const chip = b.page.getByTestId("session-timer");
  const before = await chip.boundingBox();
  if (!before) throw new Error("no chip");
  await b.page.mouse.move(before.x + 20, before.y + 15);
  await b.page.mouse.down();
  // Until what moves it has been loaded.
  await expect
    .poll(async () => {
      await b.page.mouse.move(190, 190);
      await b.page.mouse.move(200, 200);
      return (await chip.boundingBox())?.x;
    }, soon)
    .toBeLessThan(185);
  await b.page.mouse.up();
  const after = await chip.boundingBox();
  expect(Math.abs((after?.x ?? 0) - 180)).toBeLessThan(3);
  expect(Math.abs((after?.y ?? 0) - 185)).toBeLessThan(3);
  expect(await b.page.getByTestId("session-panel").count()).toBe(0);
  await b.open("keep=1");
  await chip.waitFor();
  expect(await chip.boundingBox()).toEqual(after);
  await chip.click();
  await b.page.getByTestId("session-panel").waitFor();
});

test("the time can be hidden, and is remembered; near the end it shows again", async () => {
  await b.open("seconds=400");
  const chip = b.page.getByTestId("session-timer");
  await chip.click();
  await b.page.getByTestId("collapse-timer").click();
  expect(await b.page.getByTestId("collapse-timer").textContent()).toBe("Show time");
  await b.open("keep=1");
  await chip.waitFor();
  expect(await chip.locator("b").isVisible()).toBe(false);
  b.endIn(170);
  await b.lookAgain();
  await b.page.keyboard.press("Escape");
  await chip.locator("b").waitFor();
});

test("a page is asked to save its work before the user ends", async () => {
  const release = await b.hold(SAVING_MS);
  await b.open("seconds=400&back=off");
  await b.page.evaluate(() => {
    document.addEventListener("sessiongate:beforeend", (event) => {
      const { detail } = event as CustomEvent<{ reason: string; waitUntil(p: Promise<unknown>): void }>;
      detail.waitUntil(
        new Promise((resolve) => setTimeout(resolve, 300)).then(() =>
          fetch("/.session-gate/events", { method: "POST", body: JSON.stringify(detail.reason) }),
        ),
      );
    });
  });
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("end-session").click();
  await b.page.getByTestId("confirm-end-session").click();
  await b.page.getByTestId("session-ended").waitFor();
  const names = b.gate.calls.map(({ name }) => name);
  expect(names.indexOf("events")).toBeGreaterThan(0);
  expect(names.indexOf("events")).toBeLessThan(names.indexOf("end"));
  await release();
});

test.each([
  ["de", "Ihre Sitzung endet bald", "ltr"],
  ["ar", "ستنتهي جلستك قريبًا", "rtl"],
])("in %s", async (lang, title, dir) => {
  await b.open(`seconds=290&lang=${lang}`);
  const dialog = b.page.getByTestId("session-warning");
  await dialog.getByText(title).waitFor();
  expect(
    await dialog.evaluate((element) => [
      getComputedStyle(element).direction,
      element.closest("[lang]")?.getAttribute("lang"),
    ]),
  ).toEqual([dir, lang]);
});

test.each([-86_400_000, 86_400_000])("right with a browser's clock that is %d ms off", async (wrong) => {
  await b.page.addInitScript((ms) => {
    const { now } = Date;
    Object.assign(window, { skew: ms });
    Date.now = () => now() + Reflect.get(window, "skew");
  }, wrong);
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  await b.clockIsRight();
  // Someone sets it right in the middle: seen at the next tick.
  await b.page.evaluate(() => Object.assign(window, { skew: 0 }));
  await b.page.waitForTimeout(2500);
  await b.clockIsRight();
});

test("two windows side by side beat once, and the other goes on when one is closed", async () => {
  const release = await b.hold([26_000, 34_000]); // between two heartbeats
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").waitFor();
  const other = await b.open("keep=1", await b.tab());
  await other.getByTestId("session-timer").waitFor();
  b.gate.calls.length = 0;
  await b.page.close({ runBeforeUnload: true });
  const heartbeats = (active: boolean) =>
    b.gate.calls.filter(
      ({ name, body }) => name === "heartbeat" && (body as { active: boolean }).active === active,
    ).length;
  const beats = () => heartbeats(true);
  // The browser lets a closed page run for half a second, and a call may take ten. A busy machine that
  // needs more has left the other to its own next heartbeat.
  const closed = Date.now();
  const after = (ms: number) => Date.now() - closed > ms;
  await until(() => heartbeats(false) || after(20_000), "the page says that it goes");
  if (after(2_000)) {
    await until(() => beats() || after(40_000), "the other goes on");
    if (!beats()) await release();
  }
  await expect.poll(beats, soon).toBe(1);
  await other.waitForTimeout(1500);
  expect(beats()).toBe(1);
});
