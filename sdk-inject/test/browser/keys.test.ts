import { expect, test } from "vitest";
import { until } from "../fake";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

// Someone types, looks at the keyboard or at a book, and a dialog opens by itself. No key that was
// meant for the app may buy, end or resume.

const b = useBrowser();
const spent = () => b.gate.calls.filter(({ name }) => /extend|end|pause|resume/.test(name)).length;

/** Types at so many words a minute. What passes between two keys is the page's time alone: no key
 *  rests longer on a machine that is too busy to type. */
async function type(text: string, wpm: number, pass: (ms: number) => Promise<void>) {
  for (const key of text) {
    await b.page.keyboard.press({ " ": "Space", "\t": "Tab", "\n": "Enter" }[key] ?? key);
    await pass(60_000 / (wpm * 5));
  }
}

/** A page with a field that has the focus, ten minutes before its end; its time stands still. */
async function writing(query = "") {
  const stopTime = await b.stoppableTime();
  await b.open(`seconds=590${query}`);
  await b.page.locator("#note").focus();
  await b.page.getByTestId("session-timer").waitFor();
  const pass = await stopTime();
  // A look sooner after the last one would be none.
  await pass(2_500);
  return pass;
}

/** Types on until the dialog has opened. */
async function typeUntil(dialog: string, wpm: number, pass: (ms: number) => Promise<void>) {
  const opened = b.page.getByTestId(dialog);
  await until(
    async () => {
      await type("a b ", wpm, pass);
      return opened.isVisible();
    },
    `${dialog} opens`,
    PAGE_LIMIT_MS,
  );
}

const typed: [string, string, number][] = [
  ["text, 40 words a minute", "the quick brown fox jumps over ", 40],
  ["text, 80 words a minute", "the quick brown fox jumps over the lazy dog and runs home again ", 80],
  ["lines", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n", 60],
  ["a form, from field to field", "ada\tlove\tlace\tin a row\tyes\t no \t ok\n", 60],
];

test.each(typed)("typed on as the warning opens: %s", async (_, text, wpm) => {
  const pass = await writing();
  b.endIn(290);
  await b.lookAgain();
  await typeUntil("session-warning", wpm, pass);
  await type(text, wpm, pass);
  expect(spent()).toBe(0);
  expect(await b.page.getByTestId("session-warning").isVisible()).toBe(true);
});

test("typed on as the session is paused from elsewhere", async () => {
  const pass = await writing("&pause=1");
  b.gate.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000) });
  await b.lookAgain();
  await typeUntil("session-paused", 60, pass);
  await type("one\ttwo \tthree\n", 60, pass);
  expect(spent()).toBe(0);
  expect(await b.page.getByTestId("session-paused").isVisible()).toBe(true);
});

test("a key that is held down presses nothing", async () => {
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.keysRest();
  await b.page.keyboard.press("Tab");
  // A held key repeats: its first press was the app's.
  const pressed = await b.page.evaluate(() => {
    const button = document.querySelector("session-gate")?.shadowRoot?.activeElement;
    for (let i = 0; i < 5; i++)
      button?.dispatchEvent(
        new KeyboardEvent("keydown", {
          key: "Enter",
          repeat: true,
          bubbles: true,
          composed: true,
          cancelable: true,
        }),
      );
    return button?.getAttribute("data-testid");
  });
  expect(pressed).toBe("extend-session");
  const cdp = await b.context.newCDPSession(b.page);
  for (let i = 0; i < 3; i++)
    await cdp.send("Input.dispatchKeyEvent", {
      type: "keyDown",
      key: "Enter",
      code: "Enter",
      windowsVirtualKeyCode: 13,
      text: "\r",
      autoRepeat: true,
    });
  await b.page.waitForTimeout(200);
  expect(spent()).toBe(0);
});

test("a double click on “End session” does not end", async () => {
  await b.hold([300, 400]); // for so long, what follows a press takes no other
  await b.open("seconds=400");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("session-panel").waitFor();
  await b.page.getByTestId("end-session").dblclick();
  await b.page.getByTestId("session-confirm").waitFor();
  // Where the second button is, a hand that goes on clicking presses it.
  const { x, y, width, height } = await b.box("confirm-end-session");
  await b.page.mouse.click(x + width / 2, y + height / 2);
  expect(b.gate.calls.some(({ name }) => name === "end")).toBe(false);
});

test("in one step by keys, once they have rested", async () => {
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.keyboard.press("x");
  await b.keysRest();
  await b.page.keyboard.press("Tab");
  await b.page.keyboard.press("Space");
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  expect(b.gate.session().extension.used).toBe(1);
});

test("a pointer needs no rest of the keys", async () => {
  await b.open("seconds=290");
  const extend = b.page.getByTestId("extend-session");
  await extend.waitFor();
  await b.page.keyboard.press("x");
  const { x, y } = await b.box("extend-session");
  await expect.poll(() => extend.getAttribute("aria-disabled")).toBeNull();
  await b.page.keyboard.press("x");
  await b.page.mouse.click(x + 5, y + 5);
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
});
