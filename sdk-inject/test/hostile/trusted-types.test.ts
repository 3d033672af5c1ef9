import { expect } from "vitest";
import { inEveryEngine, warningIsOpen } from "./engines";

inEveryEngine("needs no Trusted Types policy", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&csp=strict`);
  await page.until(warningIsOpen);
  // Where the engine has Trusted Types, the page forbids every policy.
  const made = await page.run(() => {
    const types = Reflect.get(window, "trustedTypes");
    if (!types) return false;
    try {
      types.createPolicy("any", {});
      return true;
    } catch {
      return false;
    }
  });
  expect(made).toBe(false);
});
