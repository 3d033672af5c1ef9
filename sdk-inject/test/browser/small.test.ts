import { expect, test } from "vitest";
import { useBrowser } from "./page";

// Small windows, large zoom, forced colors: everything can be seen, reached and read.

const b = useBrowser();
const sizes: [number, number][] = [
  [320, 256], // 1280 × 1024 at 400 %: WCAG 1.4.10
  [320, 180], // 1280 × 720 at 400 %
  [667, 320], // a phone that lies down
  [320, 568],
];

/** What of a dialog cannot be scrolled into view. */
const lost = (id: string) =>
  b.page.evaluate((testid) => {
    const dialog = document
      .querySelector("session-gate")
      ?.shadowRoot?.querySelector(`[data-testid="${testid}"]`);
    if (!dialog) return ["no dialog"];
    const outside: string[] = [];
    for (const part of dialog.querySelectorAll("h2,p:not(:empty,[role=status]),button,a,.big,.badge")) {
      part.scrollIntoView({ block: "nearest" });
      const { top, left, right, bottom, height } = part.getBoundingClientRect();
      const fits =
        left >= -1 &&
        right <= innerWidth + 1 &&
        (height > innerHeight || (top >= -1 && bottom <= innerHeight + 1));
      if (!fits)
        outside.push(`${part.localName} ${part.textContent} ${[top, left, right, bottom].map(Math.round)}`);
    }
    return outside;
  }, id);

test.each(sizes)("everything can be reached in a window of %d × %d", async (width, height) => {
  await b.renew({ viewport: { width, height } });
  for (const lang of ["en", "de", "ar"]) {
    await b.open(`seconds=290&pause=1&lang=${lang}`);
    await b.page.getByTestId("session-warning").waitFor();
    expect(await lost("session-warning"), lang).toEqual([]);
    await b.page.getByTestId("close-session-dialog").click();
    await b.page.getByTestId("session-timer").click();
    await b.page.getByTestId("session-panel").waitFor();
    expect(await lost("session-panel"), lang).toEqual([]);
    await b.page.getByTestId("end-session").click();
    await b.page.getByTestId("session-confirm").waitFor();
    expect(await lost("session-confirm"), lang).toEqual([]);
    await b.open(`seconds=400&status=paused&lang=${lang}`);
    await b.page.getByTestId("session-paused").waitFor();
    expect(await lost("session-paused"), lang).toEqual([]);
    await b.open(`seconds=1&total=600&back=off&lang=${lang}`);
    await b.page.getByTestId("session-ended").waitFor();
    expect(await lost("session-ended"), lang).toEqual([]);
  }
});

test.each(["light", "dark"] as const)("in forced colors the time can be read, %s", async (colorScheme) => {
  await b.page.emulateMedia({ forcedColors: "active", colorScheme });
  await b.open("seconds=400");
  const chip = b.page.getByTestId("session-timer");
  await chip.waitFor();
  const button = chip.getByRole("button");
  expect(await button.evaluate((element) => getComputedStyle(element).backgroundColor)).toBe(
    "rgba(0, 0, 0, 0)",
  );
  // The pill is not all of one color where the digits are.
  const digits = await chip.locator("b").boundingBox();
  if (!digits) throw new Error("no digits");
  const one = await b.page.screenshot({ clip: digits });
  await button.evaluate((element) => element.remove());
  await chip.locator("b").evaluate((element) => {
    element.style.visibility = "hidden";
  });
  const other = await b.page.screenshot({ clip: digits });
  expect(one.equals(other)).toBe(false);
});

test("a modal dialog describes itself, and what is announced is in it", async () => {
  await b.open("seconds=590");
  await b.page.getByTestId("session-timer").waitFor();
  b.endIn(300);
  await b.lookAgain();
  await b.page.getByTestId("session-warning").waitFor();
  const cdp = await b.context.newCDPSession(b.page);
  const tree = async () => {
    const { nodes } = await cdp.send("Accessibility.getFullAXTree");
    return nodes.filter(({ ignored }) => !ignored);
  };
  const nodes = await tree();
  expect(nodes.find(({ role }) => role?.value === "dialog")?.description?.value).toMatch(
    /5 minutes left in your session Save your work\./,
  );
  expect(nodes.some(({ role }) => role?.value === "status")).toBe(true);
  // Closed, it is outside of the dialog again.
  await b.page.getByTestId("close-session-dialog").click();
  await b.page.getByTestId("session-timer").click();
  await b.page.getByTestId("extend-session").click();
  await b.page.getByTestId("session-panel").waitFor({ state: "hidden" });
  await expect.poll(async () => (await tree()).some(({ role }) => role?.value === "status")).toBe(true);
});

test.each([
  ["panel", "seconds=400", /Ends at/],
  ["confirm", "seconds=400", /You still have .* Ending closes this app\./],
  ["paused", "seconds=400&status=paused", /Your clock stands still/],
  ["ended", "seconds=1&total=600&back=off", /Your time is up\./],
])("the dialog %s describes itself", async (view, query, words) => {
  await b.open(query);
  if (/panel|confirm/.test(view)) await b.page.getByTestId("session-timer").click();
  if (view === "confirm") await b.page.getByTestId("end-session").click();
  const dialog = b.page.getByTestId(`session-${view}`);
  await dialog.waitFor();
  const described = await dialog.evaluate((element) =>
    (element.getAttribute("aria-describedby") ?? "")
      .split(" ")
      .map((id) => element.querySelector(`#${id}`)?.textContent ?? "")
      .join(" "),
  );
  expect(described).toMatch(words);
});
