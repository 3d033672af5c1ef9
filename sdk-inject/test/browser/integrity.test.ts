import { expect, test } from "vitest";
import { useBrowser } from "./page";

// A page whose Integrity-Policy refuses every script without a hash.

const b = useBrowser();

test.each(["en", "de", "ar-EG"])("every part runs, in %s", async (lang) => {
  await b.open(`seconds=290&csp=integrity&lang=${lang}`);
  await b.page.getByTestId("session-warning").waitFor();
  const title = await b.page.getByTestId("session-warning").getByRole("heading").textContent();
  expect(/ends soon/.test(title ?? "")).toBe(lang === "en");
  await b.page.getByTestId("end-session").click();
  await b.page.getByTestId("session-confirm").waitFor();
  await b.page.getByTestId("keep-session").click();
  const before = await b.box("session-timer");
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("move-timer").click();
  await expect.poll(async () => (await b.box("session-timer")).x).not.toBe(before.x);
  expect(await b.page.evaluate(() => document.scripts.length)).toBe(0);
  expect(b.errors).toEqual([]);
});

test.each([
  ["does not run under the policy", "csp=integrity", false],
  ["runs without it", "csp=off", true],
])("a script without a hash %s", async (_, query, want) => {
  await b.open(`seconds=400&${query}`);
  await b.page.getByTestId("session-timer").waitFor();
  const ran = await b.page.evaluate(
    () =>
      new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = "/.session-gate/boot.js";
        script.onload = () => resolve(true);
        script.onerror = () => resolve(false);
        document.head.append(script);
      }),
  );
  expect(ran).toBe(want);
});
