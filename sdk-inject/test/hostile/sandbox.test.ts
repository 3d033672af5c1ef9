import { expect } from "vitest";
import { inEveryEngine } from "./engines";

inEveryEngine("a sandboxed page, which has no session to show, is left alone", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&sandbox=1`);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await page.run(() => document.querySelector("h1")?.textContent)).toBe("Field notes");
  expect(await page.run(() => document.scripts.length)).toBe(0);
  expect(await page.run(() => !document.querySelector("session-gate"))).toBe(true);
});
