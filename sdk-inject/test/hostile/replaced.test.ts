import { chipIsRight, inEveryEngine } from "./engines";

const acts: Record<string, () => void> = {
  "a new body": () => document.body.replaceWith(document.createElement("body")),
  "pruned elements": () => document.querySelector("session-gate")?.remove(),
  "a new document element": () => document.documentElement.replaceWith(document.createElement("html")),
  "document.open()": () => {
    document.open();
    document.write("<!doctype html><title>New</title><body>New");
    document.close();
  },
};

for (const [what, act] of Object.entries(acts))
  inEveryEngine(`outlives ${what}`, async ({ page, base }) => {
    await page.goto(`${base}/?seconds=400`);
    await page.until(chipIsRight);
    await page.run(act);
    await page.until(chipIsRight);
  });
