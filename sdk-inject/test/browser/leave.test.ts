import { expect, test } from "vitest";
import { useBrowser } from "./page";

const b = useBrowser();
const asks = encodeURIComponent(
  `<script>addEventListener("beforeunload",e=>{e.preventDefault();e.returnValue="x"})</script>`,
);

/** Chromium asks only on a page that was used. */
async function use() {
  await b.page.locator("#note").click();
  await b.page.keyboard.type("kept");
}

/** The session ends on a page that was used, however long that took. */
async function endAfterUse() {
  await b.open(`seconds=590&head=${asks}`);
  await b.page.getByTestId("session-timer").waitFor();
  await use();
  // So short that it has no warning.
  b.gate.change({ duration_limit_seconds: 10 });
  b.endIn(2);
  await b.lookAgain();
}

test("who stays to keep a text gets the page back", async () => {
  const asked: string[] = [];
  b.page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await endAfterUse();
  await b.page.getByTestId("session-ended").waitFor();
  await b.page.getByTestId("stay-on-page").click();
  expect(asked).toEqual(["beforeunload"]);
  await b.page.getByTestId("session-ended").waitFor({ state: "hidden" });
  await b.page.locator("#note").click();
  expect(await b.page.locator("#note").inputValue()).toBe("kept");
});

test("who stays may still go back, and nothing counts down meanwhile", async () => {
  const answers = ["dismiss", "accept"] as const;
  let asked = 0;
  b.page.on("dialog", (dialog) => void dialog[answers[asked++] ?? "accept"]());
  await endAfterUse();
  await b.page.getByTestId("stay-on-page").waitFor();
  expect(await b.page.getByTestId("session-ended").textContent()).not.toMatch(/\bin \d/);
  await b.page.getByTestId("return-link").click();
  await b.page.waitForURL(/\/receipt\?session_id=/);
  expect(asked).toBe(2);
});

test("who ended it and stays gets the page back, too", async () => {
  b.page.on("dialog", (dialog) => void dialog.dismiss());
  await b.open(`seconds=400&head=${asks}`);
  await use();
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("end-session").click();
  await b.page.getByTestId("confirm-end-session").click();
  await b.page.getByTestId("stay-on-page").click();
  await b.page.getByTestId("session-ended").waitFor({ state: "hidden" });
});

test("an end without a way back can be dismissed", async () => {
  await b.open("seconds=2&total=600&back=off");
  await b.page.getByTestId("session-ended").waitFor();
  await b.page.keyboard.press("Escape");
  expect(await b.page.getByTestId("session-ended").isVisible()).toBe(true);
  await b.page.getByTestId("stay-on-page").click();
  await b.page.getByTestId("session-ended").waitFor({ state: "hidden" });
  await b.page.locator("#note").click();
});

test.each([
  ["full", "All tokens are charged; none are returned for the time left."],
  ["prorated", "Only the time you used is charged. Tokens for the time left are returned."],
  ["", "Tokens for the time left are charged or returned as agreed at the sale."],
])("the question before the end says what becomes of the tokens: %s", async (settlement, words) => {
  await b.open(`seconds=400${settlement && `&settlement=${settlement}`}`);
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("end-session").click();
  await b.page.getByTestId("session-confirm").getByText(words).waitFor();
});
