import { chipIsRight, inEveryEngine } from "./engines";

inEveryEngine("*{all:unset!important} changes nothing of ours", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=400&hostile=1`);
  await page.until(chipIsRight);
});
