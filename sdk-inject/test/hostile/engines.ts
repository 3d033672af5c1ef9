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

/** One test for each engine of Debian's packages. */
export function inEveryEngine(
  name: string,
  story: (given: Given) => Promise<void>,
  before = (_: Server) => {},
): void {
  describe.each(Object.keys(engines))("%s", (engine) => {
    let running: Engine | undefined;
    let server: Server;
    let base = "";
    const gate = createGate();
    beforeAll(async () => {
      server = createServer(gate.listener);
      before(server);
      server.listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      running = await engines[engine]?.();
    }, 180_000);
    afterAll(async () => {
      await running?.stop();
      server.closeAllConnections();
      server.close();
    });
    test(name, async () => {
      if (!running) throw new Error(`${engine} did not start`);
      const page = await running.page();
      await story({ page, base, gate });
      expect(page.errors).toEqual([]);
    }, 180_000);
  });
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
