import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { createGate } from "../../dev/server.mjs";
import { until } from "../fake";
import { oldestChromium } from "../oldest";
import { chipIsRight } from "./engines";

// The injected clock in the oldest browser that is supported: no popovers, no light-dark(), no
// AbortSignal.any. Playwright's own locators need a newer one.

describe("Chromium 103", () => {
  const gate = createGate();
  const server = createServer(gate.listener);
  let browser: Awaited<ReturnType<typeof chromium.launch>>;
  let page: Awaited<ReturnType<typeof browser.newPage>>;
  let base = "";
  const errors: string[] = [];
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: oldestChromium(),
      args: [..."--no-sandbox --disable-gpu --disable-quic --no-first-run --no-zygote".split(" ")],
    });
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.on("pageerror", ({ message }) => errors.push(message));
  });

  const ours = <T>(read: (root: ShadowRoot) => T) =>
    page.evaluate(`(${read})(document.querySelector("session-gate").shadowRoot)`) as Promise<T>;
  const open = async (query: string) => void (await page.goto(`${base}/?${query}`));
  const shown = (selector: string) =>
    until(() =>
      page.evaluate(
        (one) => !!document.querySelector("session-gate")?.shadowRoot?.querySelector(one),
        selector,
      ),
    );

  test("shows the time", async () => {
    await open("seconds=400");
    await until(() => page.evaluate(chipIsRight));
  });

  test("warns, and sells time", async () => {
    await open("seconds=290");
    await shown('[data-testid="extend-session"]:not([aria-disabled])');
    const { x, y } = await ours((root) => {
      const { x, y } = root.querySelector(".main")?.getBoundingClientRect() ?? new DOMRect();
      return { x, y };
    });
    await page.mouse.click(x + 5, y + 5);
    await until(() => gate.session().extension.used === 1);
    await until(() => ours((root) => !root.querySelector("dialog")?.open));
  });

  test("shows the end over the page", async () => {
    await open("seconds=1&total=600&back=off");
    await shown('dialog[open][data-testid="session-ended"]');
    const [background, button] = await ours((root) => [
      getComputedStyle(root.querySelector("dialog") as Element).backgroundColor,
      getComputedStyle(root.querySelector(".badge") as Element).color,
    ]);
    expect(background).toBe("rgb(246, 246, 243)");
    expect(button).toBe("rgb(15, 107, 92)");
    expect(errors).toEqual([]);
  });
});
