import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

const b = useBrowser();

/** Where all of the page's own is. */
const places = () =>
  b.page.evaluate(() =>
    [...document.querySelectorAll("main *")].map((element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return [x, y, width, height].join();
    }),
  );

test("nothing of the page moves: not for the timer, the warning, the panel, or the time added", async () => {
  await b.page.addInitScript(() => {
    Object.assign(window, { shift: 0 });
    new PerformanceObserver((list) => {
      // As CLS counts: what moves by the user's own hand is meant to.
      for (const entry of list.getEntries())
        if (!Reflect.get(entry, "hadRecentInput"))
          Object.assign(window, { shift: Reflect.get(window, "shift") + Reflect.get(entry, "value") });
    }).observe({ type: "layout-shift", buffered: true });
  });
  const shift = () => b.page.evaluate(() => Reflect.get(window, "shift") as number);
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  const before = await places();
  b.endIn(302);
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.waitForTimeout(900);
  expect(await shift()).toBe(0);
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  await b.page.waitForTimeout(3500);
  expect(await shift()).toBe(0);
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("session-panel").waitFor();
  await b.page.keyboard.press("Escape");
  await b.page.waitForTimeout(700);
  expect(await shift()).toBe(0);
  expect(await places()).toEqual(before);
});

test("nothing moves when the time loses a digit", async () => {
  await b.page.addInitScript(() => {
    Object.assign(window, { shift: 0 });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        Object.assign(window, { shift: Reflect.get(window, "shift") + Reflect.get(entry, "value") });
    }).observe({ type: "layout-shift", buffered: true });
  });
  const stopTime = await b.stoppableTime();
  await b.open("seconds=1200");
  const timer = b.page.getByTestId("session-timer");
  await timer.waitFor();
  const pass = await stopTime();
  await pass(2_500);
  b.endIn(630);
  await b.lookAgain();
  const soon = { timeout: PAGE_LIMIT_MS };
  await expect.poll(() => timer.textContent(), soon).toMatch(/^10:/);
  await expect
    .poll(async () => {
      await pass(1_000);
      return timer.textContent();
    }, soon)
    .toMatch(/^9:/);
  await b.page.waitForTimeout(300); // an entry comes with the next frame
  expect(await b.page.evaluate(() => Reflect.get(window, "shift"))).toBe(0);
});
