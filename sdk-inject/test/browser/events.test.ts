import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, type Tools, useBrowser } from "./page";

// Handlers of the page, at the document or the window, in either phase. A game prevents touches, an
// editor keys, a kiosk clicks. None of them may take our controls from the user, and none of them
// hears what is not the page's.

const b = useBrowser();

const handlers: Record<string, string> = {
  "touchstart prevented at the document": `document.addEventListener("touchstart",e=>e.preventDefault(),{passive:false})`,
  "touchend prevented at the window": `addEventListener("touchend",e=>e.preventDefault(),{passive:false,capture:true})`,
  "click stopped and prevented, capture": `addEventListener("click",e=>{e.stopImmediatePropagation();e.preventDefault()},true)`,
  "mousedown and pointerdown stopped and prevented": `for(const t of["mousedown","pointerdown"])addEventListener(t,e=>{e.stopImmediatePropagation();e.preventDefault()},true)`,
  "keydown prevented": `addEventListener("keydown",e=>e.preventDefault(),true)`,
  "keyup prevented": `addEventListener("keyup",e=>e.preventDefault())`,
  "everything swallowed": `for(const t of"pointerdown pointermove pointerup mousedown mouseup click touchstart touchmove touchend keydown keypress keyup wheel".split(" "))addEventListener(t,e=>{e.stopImmediatePropagation();e.preventDefault()},{capture:true,passive:false})`,
};
const heard = `window.heard=[];for(const t of"pointerdown mousedown click touchstart touchend keydown keyup".split(" "))addEventListener(t,e=>window.heard.push(t),true);`;
const open = (tools: Tools, script: string, query = "seconds=400") =>
  tools.open(`${query}&head=${encodeURIComponent(`<script>${heard}${script}</script>`)}`);

test.each(Object.entries(handlers))("pressed by mouse: %s", async (_, script) => {
  await open(b, script);
  await b.page.getByTestId("session-timer").waitFor();
  const { x, y, width, height } = await b.box("session-timer");
  await b.page.mouse.click(x + width / 2, y + height / 2);
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-panel").waitFor({ state: "hidden" });
  expect(b.gate.session().extension.used).toBe(1);
  expect(await b.page.evaluate(() => Reflect.get(window, "heard"))).toEqual([]);
});

test.each(Object.entries(handlers))("pressed by keys: %s", async (_, script) => {
  await open(b, script);
  const chip = b.page.getByTestId("session-timer");
  for (const key of ["Enter", "Space"]) {
    await chip.getByRole("button").focus();
    await b.page.keyboard.press(key);
    await b.page.getByTestId("session-panel").waitFor();
    await b.page.keyboard.press("Escape");
    await b.page.getByTestId("session-panel").waitFor({ state: "hidden" });
  }
  expect(await b.page.evaluate(() => Reflect.get(window, "heard"))).toEqual([]);
});

test.each(Object.entries(handlers))("answered by touch: %s", async (_, script) => {
  await b.phone();
  await open(b, script, "seconds=290");
  await b.page.getByTestId("session-warning").waitFor();
  await b.page.getByTestId("extend-session").tap();
  await b.page.getByTestId("session-warning").waitFor({ state: "hidden" });
  await b.page.getByTestId("session-timer").tap();
  await b.page.getByTestId("session-panel").waitFor();
  expect(await b.page.evaluate(() => Reflect.get(window, "heard"))).toEqual([]);
});

test("dragged where the page swallows every move, and the drag opens nothing", async () => {
  await open(b, handlers["everything swallowed"] ?? "");
  await b.page.getByTestId("session-timer").waitFor();
  const { x, y } = await b.box("session-timer");
  await b.page.mouse.move(x + 10, y + 10);
  await b.page.mouse.down();
  // What follows the pointer is loaded now.
  await expect
    .poll(
      async () => {
        await b.page.mouse.move(x - 110, y - 110);
        await b.page.mouse.move(x - 100, y - 100);
        return (await b.box("session-timer")).x;
      },
      { timeout: PAGE_LIMIT_MS },
    )
    .toBeLessThan(x - 50);
  await b.page.mouse.up();
  const after = await b.box("session-timer");
  await b.page.waitForTimeout(300);
  expect(await b.page.getByTestId("session-panel").count()).toBe(0);
  // And then it can be pressed again.
  await b.page.mouse.click(after.x + 10, after.y + 10);
  await b.page.getByTestId("session-panel").waitFor();
});

test("the page hears what is done to the page", async () => {
  await open(b, "");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.locator("#note").click();
  await b.page.keyboard.press("a");
  expect(await b.page.evaluate(() => Reflect.get(window, "heard"))).toEqual([
    "pointerdown",
    "mousedown",
    "click",
    "keydown",
    "keyup",
  ]);
});

test("the handlers still come first after document.open", async () => {
  await open(b, "");
  await b.page.getByTestId("session-timer").waitFor();
  await b.page.evaluate(() => {
    document.open();
    document.write("<!doctype html><title>New</title><body>New");
    document.close();
  });
  await b.page.waitForTimeout(100);
  await b.page.evaluate(() => addEventListener("click", (e) => e.stopImmediatePropagation(), true));
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("session-panel").waitFor();
});
