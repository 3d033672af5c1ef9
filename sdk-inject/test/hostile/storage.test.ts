import { inEveryEngine, warningIsOpen } from "./engines";

inEveryEngine("works where storage is blocked", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&storage=blocked`);
  await page.until(warningIsOpen);
});
