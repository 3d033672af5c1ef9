import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

const b = useBrowser();
const chip = () => b.page.getByTestId("session-timer");

test("boot.js leaves no element behind", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  expect(await b.page.evaluate(() => document.scripts.length)).toBe(0);
});

test.each(["strict", "nonce"])("works under a CSP of kind %s", async (csp) => {
  await b.open(`seconds=290&csp=${csp}`);
  await b.page.getByTestId("session-warning").waitFor();
  expect(await b.page.getByTestId("session-warning").evaluate((e) => getComputedStyle(e).borderRadius)).toBe(
    "16px",
  );
  expect(b.errors).toEqual([]);
});

test("looks the same where the page unsets everything", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  const plain = await chip().boundingBox();
  await b.open("seconds=400&hostile=1");
  await chip().waitFor();
  expect(await chip().boundingBox()).toEqual(plain);
});

test("two tags show one timer", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  await b.page.addScriptTag({ url: "/.session-gate/boot.js" });
  await b.page.waitForTimeout(300);
  expect(await chip().count()).toBe(1);
});

test("a frame of the same origin leaves the clock to its parent", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  await b.page.evaluate(async () => {
    const frame = document.createElement("iframe");
    frame.src = "/?keep=1";
    await new Promise((resolve) => {
      frame.onload = resolve;
      document.body.append(frame);
    });
  });
  await b.page.waitForTimeout(300);
  expect(await b.page.frames()[1]?.getByTestId("session-timer").count()).toBe(0);
});

test("an app framed by a foreign page shows its own clock", async () => {
  const foreign = b.base.replace("127.0.0.1", "localhost");
  await b.page.goto(`${foreign}/frame?src=${encodeURIComponent(`${b.base}/?seconds=400`)}`);
  await b.page.frameLocator("iframe").getByTestId("session-timer").waitFor();
});

test.each([
  ["replaces the body", () => document.body.replaceWith(document.createElement("body"))],
  ["prunes what it doesn't know", () => document.querySelector("session-gate")?.remove()],
  [
    "replaces the document's element",
    () => document.documentElement.replaceWith(document.createElement("html")),
  ],
  [
    "writes itself anew",
    () => {
      document.open();
      document.write("<!doctype html><title>New</title><body>New");
      document.close();
    },
  ],
])("a page that %s keeps the timer", async (_, act) => {
  await b.open("seconds=400");
  await chip().waitFor();
  await b.page.evaluate(act);
  await b.page.waitForTimeout(50);
  await chip().waitFor();
  await chip().click();
  await b.page.getByTestId("session-panel").waitFor();
  expect(b.errors).toEqual([]);
});

test("an open dialog is modal again after the page pruned it", async () => {
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.evaluate(() => document.querySelector("session-gate")?.remove());
  await expect
    .poll(() => b.page.getByTestId("session-warning").evaluate((e) => e.matches(":modal")), {
      timeout: PAGE_LIMIT_MS,
    })
    .toBe(true);
});

test("stays above a modal dialog of the page", async () => {
  await b.open("seconds=400");
  await chip().waitFor();
  await b.page.evaluate(() => document.querySelector<HTMLDialogElement>("#theirs")?.showModal());
  b.endIn(290);
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
});

test("survives polluted prototypes, a replaced fetch and blocked storage", async () => {
  await b.page.addInitScript(() => {
    Object.assign(Object.prototype, { extra: () => 1 });
    Object.assign(Array.prototype, { extra: "x" });
    Object.defineProperty(window, "localStorage", {
      get() {
        throw new DOMException("blocked", "SecurityError");
      },
    });
    addEventListener("DOMContentLoaded", () => {
      window.fetch = () => Promise.reject(new Error("the page's own"));
    });
  });
  await b.open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  expect(b.errors).toEqual([]);
});

test("a gate that is away leaves the page alone", async () => {
  await b.open("seconds=400");
  b.gate.setDown(true);
  await b.page.reload({ waitUntil: "load" }).catch(() => undefined);
  await b.page.waitForTimeout(500);
  expect(await b.page.locator("h1").textContent()).toBe("Field notes");
  expect(b.errors).toEqual([]);
});
