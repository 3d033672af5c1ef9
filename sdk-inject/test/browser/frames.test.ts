import { expect, test } from "vitest";
import { useBrowser } from "./page";

const b = useBrowser();
/** The marketplace: another origin of the same machine. */
const market = () => b.base.replace("127.0.0.1", "localhost");

test("the end leads the page around the frame back, not the frame alone", async () => {
  const app = `${b.base}/?seconds=3&total=600&market=${market()}`;
  await b.page.goto(`${market()}/frame?src=${encodeURIComponent(app)}`);
  await b.page.waitForURL(`${market()}/receipt?session_id=*`);
  expect(b.page.frames().length).toBe(1);
});

test("the link back leads the page around the frame", async () => {
  await b.hold([1000, 1000]);
  const app = `${b.base}/?seconds=2&total=600&market=${market()}`;
  await b.page.goto(`${market()}/frame?src=${encodeURIComponent(app)}`);
  await b.page.frameLocator("iframe").getByTestId("return-link").click();
  await b.page.waitForURL(`${market()}/receipt?session_id=*`);
});

test("where the page around may not be led away, the frame goes alone", async () => {
  const app = `${b.base}/?seconds=2&total=600&market=${market()}`;
  const sandbox = "allow-scripts allow-same-origin";
  await b.page.goto(`${market()}/frame?sandbox=${sandbox}&src=${encodeURIComponent(app)}`);
  await b.page.frameLocator("iframe").getByRole("heading", { name: "Receipt" }).waitFor();
  expect(b.page.url()).toContain("/frame?");
});

test("a page of ours around the frame that has no script leaves the clock to the frame", async () => {
  await b.page.goto(`${b.base}/frame?src=${encodeURIComponent("/?seconds=400")}`);
  await b.page.frameLocator("iframe").getByTestId("session-timer").waitFor();
});

test.each(["sandbox=1", "csp=strict&sandbox=1"])(
  "a page without an origin (%s) gets nothing of ours",
  async (query) => {
    const asked: string[] = [];
    b.page.on("request", (request) => asked.push(request.url()));
    await b.open(`seconds=290&${query}`);
    await b.page.waitForTimeout(1_000);
    expect(await b.page.evaluate(() => document.scripts.length)).toBe(0);
    expect(asked.filter((url) => /session-gate/.test(url)).map((url) => url.split("/").pop())).toEqual([
      "boot.js",
    ]);
    expect(b.errors).toEqual([]);
  },
);

test("an app in a frame that is sandboxed without its origin has no element of ours and no error", async () => {
  const asked: string[] = [];
  b.page.on("request", (request) => asked.push(request.url()));
  const app = encodeURIComponent(`${b.base}/?seconds=290`);
  await b.page.goto(`${market()}/frame?sandbox=allow-scripts&src=${app}`);
  await b.page.frameLocator("iframe").getByRole("heading").first().waitFor();
  await b.page.waitForTimeout(1_000);
  const frame = b.page.frames()[1];
  expect(await frame?.evaluate(() => document.scripts.length)).toBe(0);
  expect(asked.filter((url) => /session-gate/.test(url)).length).toBe(1);
  expect(b.errors).toEqual([]);
});
