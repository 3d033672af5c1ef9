import { inEveryEngine, warningIsOpen } from "./engines";

inEveryEngine("works under default-src 'none'", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&csp=strict`);
  await page.until(warningIsOpen);
});

inEveryEngine("works under a nonce alone", async ({ page, base }) => {
  await page.goto(`${base}/?seconds=290&csp=nonce`);
  await page.until(warningIsOpen);
});
