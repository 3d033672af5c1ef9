import { expect, test } from "vitest";
import { useBrowser } from "./page";

// Someone types, looks at the keyboard or at a book, and a dialog opens by itself. No key that was
// meant for the app may buy, end or resume.

const b = useBrowser();
const spent = () => b.gate.calls.filter(({ name }) => /extend|end|pause|resume/.test(name)).length;

/** Types at so many words a minute, until the text is at its end. */
async function type(text: string, wpm: number) {
  for (const key of text) {
    await b.page.keyboard.press({ " ": "Space", "\t": "Tab", "\n": "Enter" }[key] ?? key);
    await b.page.waitForTimeout(60_000 / (wpm * 5));
  }
}

/** Keys between which a second has passed have rested, on a machine that was too busy to type. */
const RESTED_MS = 1_000;

/** Does it until no key rested in between. */
async function withoutRest(story: () => Promise<void>) {
  await b.page.addInitScript(() => {
    const gaps = { last: Number.POSITIVE_INFINITY, longest: 0 };
    Object.assign(window, { gaps });
    addEventListener(
      "keydown",
      ({ timeStamp }) => {
        gaps.longest = Math.max(gaps.longest, timeStamp - gaps.last);
        gaps.last = timeStamp;
      },
      true,
    );
  });
  for (let tries = 0; tries < 6; tries++) {
    await story();
    const { longest } = await b.page.evaluate(() => Reflect.get(window, "gaps"));
    if (longest < RESTED_MS) return;
  }
  throw new Error("this machine is too busy to type");
}

const typed: [string, string, number][] = [
  ["text, 40 words a minute", "the quick brown fox jumps over ", 40],
  ["text, 80 words a minute", "the quick brown fox jumps over the lazy dog and runs home again ", 80],
  ["lines", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n", 60],
  ["a form, from field to field", "ada\tlove\tlace\tin a row\tyes\t no \t ok\n", 60],
];

test.each(typed)("typed on as the warning opens: %s", async (_, text, wpm) => {
  await withoutRest(async () => {
    await b.open("seconds=302");
    await b.page.locator("#note").focus();
    await b.page.getByTestId("session-timer").waitFor();
    let open = false;
    void b.page
      .getByTestId("session-warning")
      .waitFor()
      .then(() => {
        open = true;
      });
    while (!open) await type("a b ", wpm);
    await type(text, wpm);
  });
  expect(spent()).toBe(0);
  expect(await b.page.getByTestId("session-warning").isVisible()).toBe(true);
});

test("typed on as the session is paused from elsewhere", async () => {
  await withoutRest(async () => {
    await b.open("seconds=400&pause=1");
    await b.page.getByTestId("session-timer").waitFor();
    b.gate.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000) });
    await b.lookAgain();
    await b.page.getByTestId("session-paused").waitFor();
    await type("one\ttwo \tthree\n", 60);
  });
  expect(spent()).toBe(0);
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
