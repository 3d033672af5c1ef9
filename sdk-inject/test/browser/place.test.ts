import { expect, test } from "vitest";
import { PAGE_LIMIT_MS, useBrowser } from "./page";

// Where the clock lies: not on what the page has to press, and where the user put it.

const b = useBrowser();
const soon = { timeout: PAGE_LIMIT_MS };

const bar = (where: string, inside: string) =>
  `<div style="position:fixed;${where}:0;left:0;right:0;height:56px;display:flex;background:#eee;z-index:9">${inside}</div>`;
const buttons = '<button style="flex:1">Back</button><button style="flex:1" id="next">Next</button>';
const divs = '<div style="flex:1;cursor:pointer">A</div><div style="flex:1;cursor:pointer" id="next">B</div>';

const obstacles: [string, string][] = [
  ["a bottom bar of buttons", bar("bottom", buttons)],
  ["a bottom bar of elements that only show a hand", bar("bottom", divs)],
  [
    "a button in the corner",
    '<button id="next" style="position:fixed;right:8px;bottom:8px;width:120px;height:60px">Send</button>',
  ],
  ["bars above and below", bar("bottom", buttons) + bar("top", buttons.replace("next", "other"))],
];

test.each(obstacles)("the clock gives way to %s", async (_, body) => {
  await b.phone();
  await b.open(`seconds=580&body=${encodeURIComponent(body)}`);
  await b.page.getByTestId("session-timer").waitFor();
  const covered = () =>
    b.page.evaluate(() => {
      const host = document.querySelector("session-gate");
      const { x, y, width, height } =
        document.querySelector("#next")?.getBoundingClientRect() ?? new DOMRect();
      for (let i = 1; i < 20; i++)
        for (let j = 1; j < 8; j++)
          if (document.elementFromPoint(x + (i * width) / 20, y + (j * height) / 8) === host) return true;
      return false;
    });
  await expect.poll(covered, soon).toBe(false);
  const { x, y, width, height } = await b.box("session-timer");
  expect(x).toBeGreaterThanOrEqual(0);
  expect(x + width).toBeLessThanOrEqual(390);
  expect(y).toBeGreaterThanOrEqual(0);
  expect(y + height).toBeLessThanOrEqual(760);
});

test("a bar that comes later is given way to as well", async () => {
  await b.phone();
  await b.open("seconds=580");
  await b.page.getByTestId("session-timer").waitFor();
  const before = await b.box("session-timer");
  await b.page.evaluate(
    (html) => document.body.insertAdjacentHTML("beforeend", html),
    bar("bottom", buttons),
  );
  await expect.poll(async () => (await b.box("session-timer")).y, soon).toBeLessThan(before.y - 30);
});

test("what else the page stores under our name moves nothing", async () => {
  await b.open("seconds=580");
  await b.page.getByTestId("session-timer").waitFor();
  const usual = await b.box("session-timer");
  for (const place of [
    "0 0 0 0",
    "auto -5000px auto auto",
    "",
    "calc(9000px)",
    "auto min(-900px, 1px) auto auto",
    7,
    [1],
    {},
    null,
  ]) {
    await b.page.evaluate(
      (kept) => localStorage.setItem("sessiongate", JSON.stringify({ place: kept })),
      place,
    );
    await b.page.reload();
    await b.page.getByTestId("session-timer").waitFor();
    expect(await b.box("session-timer"), JSON.stringify(place)).toEqual({
      ...usual,
      width: expect.any(Number),
      x: expect.closeTo(usual.x, -1),
    });
  }
  // A place where the user put it counts.
  await b.page.evaluate(() =>
    localStorage.setItem(
      "sessiongate",
      JSON.stringify({ place: "auto auto min(40px, 100vh - 52px) min(40px, 100vw - 110px)" }),
    ),
  );
  await b.page.reload();
  await b.page.getByTestId("session-timer").waitFor();
  expect((await b.box("session-timer")).x).toBe(40);
});

test("without anything in the way it stays in its corner", async () => {
  await b.phone();
  await b.open("seconds=580");
  await b.page.getByTestId("session-timer").waitFor();
  const before = await b.box("session-timer");
  await b.page.waitForTimeout(2_500);
  const after = await b.box("session-timer");
  expect([after.x + after.width, after.y]).toEqual([before.x + before.width, before.y]);
});

test("where the user put it, it stays, whatever lies below", async () => {
  await b.open("seconds=580");
  const chip = b.page.getByTestId("session-timer");
  await chip.waitFor();
  await chip.getByRole("button").focus();
  await b.page.keyboard.press("ArrowLeft");
  await expect.poll(async () => (await b.box("session-timer")).x, soon).toBeLessThan(100);
  await b.open(`keep=1&body=${encodeURIComponent(bar("bottom", buttons))}`);
  await chip.waitFor();
  await b.page.waitForTimeout(1_500);
  expect((await b.box("session-timer")).x).toBeLessThan(100);
});

test("arrow keys move it to each side", async () => {
  await b.open("seconds=580");
  const chip = b.page.getByTestId("session-timer");
  await chip.waitFor();
  await chip.getByRole("button").focus();
  const { width, height } = b.page.viewportSize() ?? { width: 0, height: 0 };
  const side = async () => {
    const { x, y } = await b.box("session-timer");
    return `${y < height / 2 ? "top" : "bottom"} ${x < width / 2 ? "left" : "right"}`;
  };
  for (const [key, where] of [
    ["ArrowUp", "top right"],
    ["ArrowLeft", "top left"],
    ["ArrowDown", "bottom left"],
    ["ArrowRight", "bottom right"],
    ["x", "bottom right"],
  ] as const) {
    await b.page.keyboard.press(key);
    await expect.poll(side, soon).toBe(where);
  }
  await b.page.keyboard.press("Enter");
  await b.page.getByTestId("session-panel").waitFor();
});
