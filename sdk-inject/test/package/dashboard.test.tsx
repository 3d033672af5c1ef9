import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import {
  createStatsClient,
  DayChart,
  ProviderDashboard,
  type StatsClient,
} from "../../src/package/dashboard";
import { scaleOf } from "../../src/package/dashboard/chart";
import { until } from "../fake";

const row = (n: number, over: object = {}) => ({
  id: `s-${n}`,
  user_id: `user_${n}`,
  provider_id: "prov_1",
  status: "active",
  version: 1,
  expires_at: 0,
  created_at: 1_700_000_000 + n,
  duration_limit_seconds: 600,
  tokens_allocated: 1200,
  ...over,
});
const days = ["2026-01-30", "2026-01-31"];

let server: Server;
let live: WebSocketServer;
let client: StatsClient;
let root: Root;
let app: HTMLElement;
let down: boolean;
let rows: object[];
let asked: string[];

beforeEach(async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  down = false;
  rows = [row(2), row(1)];
  asked = [];
  server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    asked.push(url.pathname.split("/").slice(5).join("/") + url.search);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    if (request.method === "OPTIONS") return void response.end();
    if (down) response.writeHead(503);
    const live = { active: 2, paused: 1, pending: 0 };
    const answers: Record<string, object> = {
      stats: {
        live,
        today: { sessions: 5, users: 4, captured: 1500 },
        total: { sessions: 50, captured: 90 },
      },
      sessions: url.searchParams.has("cursor")
        ? { sessions: [row(0)] }
        : { sessions: rows, next_cursor: "c1" },
      "analytics/sessions": { days: days.map((date, i) => ({ date, sessions: i * 4 })) },
      "analytics/revenue": { days: days.map((date) => ({ date, captured: 0 })) },
    };
    const path = url.pathname.split("/").slice(5).join("/");
    response.end(JSON.stringify(down ? { code: "unavailable", detail: "Not now." } : answers[path]));
  });
  live = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  client = createStatsClient({
    apiEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    providerId: "prov_1",
    cacheMs: 0,
  });
  document.body.innerHTML = "<div id=app></div>";
  app = document.querySelector("#app") as HTMLElement;
  root = createRoot(app);
});

afterEach(async () => {
  await act(async () => root.unmount());
  for (const socket of live.clients) socket.terminate();
  server.closeAllConnections();
  server.close();
});

async function becomes(check: () => boolean) {
  await until(async () => {
    if (check()) return true;
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
    return check();
  }, `${check} in ${app.textContent}`);
}

const show = () =>
  act(async () =>
    root.render(
      <StrictMode>
        <ProviderDashboard client={client} language="en" period={{ from: "2026-01-30" }} theme="dark" />
      </StrictMode>,
    ),
  );
const says = (text: string) => app.textContent?.includes(text) ?? false;

test("figures, charts with tables, and the history", async () => {
  await show();
  await becomes(() => says("user_2") && says("4 in all"));
  expect(app.querySelector("[data-testid=stat-active]")?.textContent).toBe("Active now21 paused");
  expect(app.querySelector("[data-testid=stat-earned-today]")?.textContent).toBe("Earned today1,500tokens");
  expect(says("4 in all; most on Jan 31: 4.")).toBe(true);
  expect(says("No data for these days yet.")).toBe(true);
  expect(
    [...app.querySelectorAll("[data-testid=chart-count] .sgd-bar")].map((bar) => bar.getAttribute("height")),
  ).toEqual(["0", "80"]);
  expect(app.querySelectorAll("[data-testid=chart-count] tbody tr")).toHaveLength(2);
  expect(asked).toContain("analytics/revenue?from=2026-01-30");
  expect(app.querySelector("section")?.dataset.theme).toBe("dark");
  expect(document.adoptedStyleSheets.length).toBe(1);
});

test("the next page comes when asked for, and a change is shown where it happens", async () => {
  await show();
  await becomes(() => says("user_1") && live.clients.size === 1);
  const button = [...app.querySelectorAll("button")].find((one) => one.textContent === "Show more");
  await act(async () => button?.click());
  await becomes(() => says("user_0"));
  expect(says("Show more")).toBe(false);
  rows = [row(3), row(2, { status: "completed", version: 2 }), row(1)];
  const tell = (message: object) => {
    for (const socket of live.clients) socket.send(JSON.stringify(message));
  };
  tell({ type: "counts", counts: { active: 7, paused: 0, pending: 0 } });
  tell({ type: "session", session: row(2, { status: "completed", version: 2 }) });
  await becomes(() => says("Completed") && says("user_3"));
  expect(says("Live")).toBe(true);
  expect(
    [...app.querySelectorAll("[data-testid^=session-s]")].map((one) => one.getAttribute("data-testid")),
  ).toEqual(["session-s-3", "session-s-2", "session-s-1", "session-s-0"]);
});

test("an error is said, and asked again", async () => {
  down = true;
  await show();
  await becomes(() => app.querySelectorAll("[role=alert]").length === 2);
  expect(says("Not now.")).toBe(true);
  down = false;
  for (const button of app.querySelectorAll<HTMLButtonElement>("[role=alert] button"))
    await act(async () => button.click());
  await becomes(() => says("Active now") && says("user_2"));
  expect(app.querySelector("[role=alert]")).toBeNull();
});

test("no data yet is said; a server renders it as loading", async () => {
  rows = [];
  await show();
  await becomes(() => says("No sessions yet."));
  expect(renderToString(<ProviderDashboard client={client} />)).toContain("Loading…");
  expect(renderToString(<DayChart title="Empty" days={[]} />)).toContain("No data for these days yet.");
});

test.each([
  [0, 2],
  [3, 5],
  [5, 5],
  [12, 20],
  [99, 100],
  [101, 200],
])("a scale for %d ends at %d", (most, top) => expect(scaleOf(most)).toBe(top));
