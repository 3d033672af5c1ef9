import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error a script without types
import { createGate } from "../../dev/server.mjs";
import { type Engine, engines, type Page } from "./browsers";

export type { Page };

interface Given {
  page: Page;
  base: string;
  gate: {
    session(): { status: string; expires_at: number };
    change(fields: object): void;
    calls: { name: string }[];
  };
}

/** The engines of this file whose pages share nothing, each started by the first test that needs it. */
const running: Record<string, Promise<Engine>> = {};
let stops = false;

const start = (engine: string) => (engines[engine] as () => Promise<Engine>)();

/** Runs with a page of an engine. WebKit has one window, which the next test would find as it was left. */
async function withPage(engine: string, act: (page: Page) => Promise<void>): Promise<void> {
  if (engine !== "webkit") {
    running[engine] ??= start(engine);
    return act(await (await running[engine]).page());
  }
  const webkit = await start(engine);
  try {
    await act(await webkit.page());
  } finally {
    await webkit.stop();
  }
}

/** One test for each engine of Debian's packages. */
export function inEveryEngine(
  name: string,
  story: (given: Given) => Promise<void>,
  before = (_: Server) => {},
): void {
  if (!stops) afterAll(stopEngines, 180_000);
  stops = true;
  describe.each(Object.keys(engines))("%s", (engine) => {
    let server: Server;
    let base = "";
    const gate = createGate();
    beforeAll(async () => {
      server = createServer(gate.listener);
      before(server);
      server.listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });
    test(
      name,
      () =>
        withPage(engine, async (page) => {
          await story({ page, base, gate });
          expect(page.errors).toEqual([]);
        }),
      180_000,
    );
  });
}

async function stopEngines() {
  for (const engine of await Promise.allSettled(Object.values(running)))
    if (engine.status === "fulfilled") await engine.value.stop();
}

/** The chip shows a time and nobody's styles but ours. */
export const chipIsRight = () => {
  const chip = document.querySelector("session-gate")?.shadowRoot?.querySelector(".chip");
  if (!chip || !/^\d+:\d\d/.test(chip.textContent ?? "")) return false;
  const { height, width, right, bottom } = chip.getBoundingClientRect();
  return (
    height > 30 &&
    height < 45 &&
    width > 60 &&
    width < 200 &&
    right > innerWidth - 60 &&
    bottom > innerHeight - 60
  );
};

/** The warning is open, modal and styled. */
export const warningIsOpen = () => {
  const dialog = document.querySelector("session-gate")?.shadowRoot?.querySelector("dialog");
  return !!dialog?.matches(":modal") && getComputedStyle(dialog).borderRadius === "16px";
};
