import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

// What the page opens above ours, and pages that do not want us in the document.

const b = useBrowser();
const soon = { timeout: PAGE_LIMIT_MS };

/** The page's own: a modal in the document, one in a shadow root, and a popover that fills the window. */
const body = `<dialog id="modal" style="width:80vw;height:80vh">theirs</dialog><x-el></x-el>
<script>customElements.define("x-el",class extends HTMLElement{constructor(){super();this.attachShadow({mode:"open"}).innerHTML=
'<dialog style="width:90vw;height:90vh">in a shadow root</dialog><div popover="manual" style="width:100vw;height:100vh">a popover</div>'}})</script>`;
const open = (query: string) => b.open(`${query}&body=${encodeURIComponent(body)}`);

const covers: [string, () => void][] = [
  ["a modal", () => document.querySelector<HTMLDialogElement>("#modal")?.showModal()],
  [
    "a modal in a shadow root",
    () => document.querySelector("x-el")?.shadowRoot?.querySelector("dialog")?.showModal(),
  ],
  [
    "a popover in a shadow root",
    () => document.querySelector("x-el")?.shadowRoot?.querySelector<HTMLElement>("[popover]")?.showPopover(),
  ],
];

/** Whether the topmost thing at the middle of an element is ours. */
const onTop = (id: string) =>
  b.page.evaluate((testid) => {
    const host = document.querySelector("session-gate");
    const part = host?.shadowRoot?.querySelector(`[data-testid="${testid}"]`);
    const { x, y, width, height } = part?.getBoundingClientRect() ?? new DOMRect();
    return width > 0 && document.elementFromPoint(x + width / 2, y + height / 2) === host;
  }, id);

test.each(covers)("the warning comes back above %s of the page, and can be answered", async (_, act) => {
  await open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.evaluate(act);
  await expect.poll(() => onTop("extend-session"), soon).toBe(true);
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  expect(b.gate.session().extension.used).toBe(1);
});

test.each(covers)("the end comes back above %s of the page, and can be followed", async (_, act) => {
  // The countdown goes on meanwhile. A 204 leaves the page where it is.
  await b.page.route("**/receipt?*", (route) => route.fulfill({ status: 204 }));
  await open("seconds=2&total=600");
  await b.page.getByTestId("session-ended").waitFor();
  await b.page.evaluate(act);
  await expect.poll(() => onTop("session-ended"), soon).toBe(true);
  await b.page.unroute("**/receipt?*");
  await b.page.getByTestId("return-link").click();
  await b.page.waitForURL(/\/receipt\?session_id=/);
});

test.each(covers)("without a way back the end stays above %s of the page", async (_, act) => {
  await open("seconds=2&total=600&back=off");
  await b.page.getByTestId("session-ended").waitFor();
  await b.page.evaluate(act);
  await expect.poll(() => onTop("session-ended"), soon).toBe(true);
});

test("a page that opens its modal again and again does not freeze", async () => {
  await open("seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  const { shows, ms } = await b.page.evaluate(async () => {
    const began = performance.now();
    const theirs = document.querySelector<HTMLDialogElement>("#modal");
    const plain = HTMLDialogElement.prototype.showModal;
    let ours = 0;
    HTMLDialogElement.prototype.showModal = function () {
      if (this !== theirs) ours++;
      plain.call(this);
    };
    const insisting = setInterval(() => {
      theirs?.close();
      theirs?.showModal();
    }, 20);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    clearInterval(insisting);
    return { shows: ours, ms: performance.now() - began };
  });
  // At most once a second, however long a busy machine took.
  expect(shows).toBeLessThanOrEqual(ms / 1000 + 1);
});

const prunes: [string, string][] = [
  [
    "unknown children of <html>",
    `new MutationObserver(()=>{for(const e of[...document.documentElement.children])if(!/^(HEAD|BODY)$/.test(e.tagName)){window.removed++;e.remove()}}).observe(document.documentElement,{childList:true})`,
  ],
  [
    "us wherever we are",
    `new MutationObserver(()=>{for(const e of document.querySelectorAll("session-gate")){window.removed++;e.remove()}}).observe(document,{childList:true,subtree:true})`,
  ],
  [
    "us at every frame",
    `setInterval(()=>{for(const e of document.querySelectorAll("session-gate")){window.removed++;e.remove()}},16)`,
  ],
];

test.each(prunes)("a page that removes %s does not hang", async (_, script) => {
  await b.open(`seconds=580&head=${encodeURIComponent(`<script>window.removed=0;${script}</script>`)}`);
  await expect.poll(() => b.page.evaluate(() => Reflect.get(window, "removed")), soon).toBeGreaterThan(2);
  await b.page.waitForTimeout(3_000);
  // Without pauses it would be hundreds. A machine that stands still makes removals look rare, and begins anew.
  expect(await b.page.evaluate(() => Reflect.get(window, "removed"))).toBeLessThan(60);
});

test("where only the children of <html> are pruned, the clock is in the body", async () => {
  const [, script] = prunes[0] ?? [];
  await b.open(`seconds=580&head=${encodeURIComponent(`<script>window.removed=0;${script}</script>`)}`);
  await b.page.getByTestId("session-timer").waitFor();
  await expect
    .poll(() => b.page.evaluate(() => document.querySelector("session-gate")?.parentElement?.localName), soon)
    .toBe("body");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("session-panel").waitFor();
});

/** A second window of the session beside the first. Both show their timers. */
async function twoWindows() {
  const windows = [b.page, await b.open("keep=1", await b.tab())];
  for (const page of windows) await page.getByTestId("session-timer").waitFor();
  return windows;
}

/** The deadline comes near, and the windows see it. */
async function endIn(seconds: number, windows: Page[]) {
  b.endIn(seconds);
  for (const page of windows) await b.lookAgain(page);
}

const dialog = (page: Page) => page.locator("session-gate dialog");

test("of two windows in view both warn when a threshold passes", async () => {
  // Only a page that sees every second was looked at: a busy machine may stand still for several.
  const stopTime = await b.stoppableTime();
  await b.open("seconds=590");
  const windows = await twoWindows();
  const pass = await stopTime();
  await pass(2_500);
  await endIn(310, windows);
  for (const page of windows) await dialog(page).waitFor({ state: "attached" });
  await pass(15_000);
  for (const page of windows) await page.getByTestId("session-warning").waitFor();
});

test("of two windows in view both warn when the deadline is brought forward", async () => {
  await b.open("seconds=590");
  const windows = await twoWindows();
  await endIn(170, windows);
  for (const page of windows) await page.getByTestId("session-warning").waitFor();
});

test("a window that opens after the warning of another warns with it at the next threshold", async () => {
  await b.open("seconds=290&warn=300,200");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("close-session-dialog").click();
  const windows = await twoWindows();
  for (const page of windows) {
    await dialog(page).waitFor({ state: "attached" });
    await page.getByTestId("session-warning").waitFor({ state: "hidden" });
  }
  await endIn(190, windows);
  for (const page of windows) await page.getByTestId("session-warning").waitFor();
});

test("what was answered in one window closes in the other", async () => {
  await b.open("seconds=590");
  const windows = await twoWindows();
  await endIn(290, windows);
  for (const page of windows) await page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").click();
  for (const page of windows) await page.getByTestId("session-warning").waitFor({ state: "hidden" });
});
