import { expect } from "vitest";
import { inEveryEngine, type Page } from "./engines";

inEveryEngine("a sandboxed page, which has no session to show, is left alone", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&sandbox=1`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await page.run(() => document.querySelector("h1")?.textContent)).toBe("Field notes");
  expect(await page.run(() => document.scripts.length)).toBe(0);
  expect(await page.run(() => !document.querySelector("session-gate"))).toBe(true);
});

/** What an app in a frame of that sandbox tells of itself, once `ready` is true there. */
async function framed(page: Page, base: string, sandbox: string, ready: () => unknown): Promise<unknown> {
  const app = encodeURIComponent(`${base}/?seconds=400&report=1`);
  // Another origin around it: a frame of our own leaves the timer to its page.
  await page.goto(
    `${base.replace("127.0.0.1", "localhost")}/frame?sandbox=${encodeURIComponent(sandbox)}&src=${app}`,
  );
  await page.until(ready);
  return page.run(() => {
    const { h1, timer, origin } = Reflect.get(window, "report");
    return { h1, timer, origin };
  });
}

inEveryEngine(
  "an app in a sandboxed frame without an origin works, and has no timer",
  async ({ page, base }) => {
    const waited = () => Reflect.get(window, "report")?.after > 3000;
    expect(await framed(page, base, "allow-scripts", waited)).toEqual({
      h1: "Field notes",
      timer: false,
      origin: "null",
    });
  },
);

inEveryEngine("an app in a sandboxed frame that keeps its origin has its timer", async ({ page, base }) => {
  const hasTimer = () => Reflect.get(window, "report")?.timer;
  expect(await framed(page, base, "allow-scripts allow-same-origin", hasTimer)).toEqual({
    h1: "Field notes",
    timer: true,
    origin: base,
  });
});
