import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser, violations } from "./page";

const b = useBrowser();

const states: [string, string, number | undefined, string][] = [
  ["the chip", "seconds=582", undefined, "session-timer"],
  ["the warning", "seconds=290", undefined, "session-warning"],
  ["the last minute without an offer", "seconds=590&offer=off", 55, "session-warning"],
  ["the paused screen", "seconds=400&status=paused", undefined, "session-paused"],
  ["the ended screen", "seconds=1", undefined, "session-ended"],
];

for (const scheme of ["light", "dark"] as const)
  test.each(states)(`axe finds nothing wrong with %s, ${scheme}`, async (_, query, left, id) => {
    await b.page.emulateMedia({ colorScheme: scheme });
    await b.hold([1000, 1000]); // the countdown after the end, which leaves the page
    await b.open(query);
    if (left) {
      // What the warning needs is there before the last minute begins.
      await b.page.getByTestId("session-timer").waitFor();
      b.endIn(290);
      await b.lookAgain();
      await b.page.getByTestId("session-warning").waitFor();
      b.endIn(left);
      await b.lookAgain();
      await b.page.getByTestId("session-warning").locator('.big[data-tone="danger"]').waitFor();
    }
    await b.page.getByTestId(id).waitFor();
    expect(await violations(b.page)).toEqual([]);
  });

test("Tab stays in the dialog and reaches everything", async () => {
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.keysRest();
  const seen = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const id = await b.page.evaluate(
      () => document.activeElement?.shadowRoot?.activeElement?.getAttribute("data-testid") ?? "",
    );
    if (id) seen.add(id);
    await b.page.keyboard.press("Tab");
  }
  expect([...seen].sort()).toEqual(["close-session-dialog", "end-session", "extend-session"]);
  await b.page.keyboard.press("Escape");
});

test("the time left is announced at five minutes and not every second", async () => {
  await b.page.addInitScript(() => {
    Object.assign(window, { said: [] });
    setInterval(() => {
      const text = document
        .querySelector("session-gate")
        ?.shadowRoot?.querySelector("[role=status]")?.textContent;
      const said: string[] = Reflect.get(window, "said");
      if (text && said.at(-1) !== text) said.push(text);
    }, 50);
  });
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  // Where the answer takes longer than until the five minutes begin, it is announced at once.
  b.endIn(304);
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor();
  await expect
    .poll(() => b.page.evaluate(() => Reflect.get(window, "said").length), { timeout: PAGE_LIMIT_MS })
    .toBe(1);
  await b.page.waitForTimeout(2000);
  expect(await b.page.evaluate(() => Reflect.get(window, "said"))).toEqual([
    "5 minutes left in your session",
  ]);
});
