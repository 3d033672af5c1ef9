import { inEveryEngine, warningIsOpen } from "./engines";

inEveryEngine("works among polluted prototypes", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&polluted=1`);
  await page.until(warningIsOpen);
});
