// @vitest-environment node
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createStatsClient, type LiveUpdate, type StatsClientConfig } from "../../src/package/stats";
import { until } from "../fake";

const root = "/api/v1/providers/prov_1";
let server: Server;
let live: WebSocketServer;
let asked: string[];
let offered: string[];
let count: number;

beforeEach(async () => {
  asked = [];
  offered = [];
  count = 0;
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end(JSON.stringify({ live: { active: ++count } }));
  });
  live = new WebSocketServer({ server, path: `${root}/live` });
  live.on("connection", (socket, request) => {
    offered.push(request.headers["sec-websocket-protocol"] ?? "");
    socket.send(JSON.stringify({ type: "counts", counts: { active: 1, paused: 0, pending: 0 } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  for (const socket of live.clients) socket.terminate();
  server.closeAllConnections();
  server.close();
});

function client(over: Partial<StatsClientConfig> = {}) {
  const apiEndpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createStatsClient({
    apiEndpoint,
    providerId: "prov_1",
    cacheMs: 600_000,
    WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
    ...over,
  });
}

const say = (message: unknown) => {
  for (const socket of live.clients)
    socket.send(typeof message === "string" ? message : JSON.stringify(message));
};

test("many who listen share one connection; a key goes by subprotocol and not by address", async () => {
  const one = client({ apiKey: "sg_prv_x" });
  const heard: LiveUpdate[][] = [[], []];
  const stops = heard.map((list) => one.subscribe((update) => list.push(update)));
  await until(() => heard.every((list) => list.length === 2));
  expect(heard[0]).toEqual([
    { type: "connection", connected: true },
    { type: "counts", counts: { active: 1, paused: 0, pending: 0 } },
  ]);
  expect(offered).toEqual(["sessiongate.live,sessiongate.key.sg_prv_x"]);
  stops[0]?.();
  stops[0]?.();
  say({ type: "session", session: { id: "s-1", status: "completed" } });
  await until(() => heard[1]?.length === 3);
  expect(heard[0]).toHaveLength(2);
  stops[1]?.();
  await until(() => live.clients.size === 0);
});

test("what changed is asked for anew, what did not is remembered", async () => {
  const one = client();
  const heard: LiveUpdate[] = [];
  const stop = one.subscribe((update) => heard.push(update));
  expect([await one.getActiveSessionCount(), await one.getActiveSessionCount()]).toEqual([1, 1]);
  await until(() => heard.length === 2);
  say("nonsense");
  say({ type: "something new" });
  say({ type: "session", session: { id: "s-1" } });
  await until(() => heard.length === 3);
  expect(await one.getActiveSessionCount()).toBe(2);
  say({ type: "reset" });
  await until(() => heard.length === 4);
  expect(await one.getActiveSessionCount()).toBe(3);
  stop();
});

test("a connection that breaks is told of and made anew", async () => {
  const one = client();
  const states: boolean[] = [];
  const stop = one.subscribe((update) => update.type === "connection" && states.push(update.connected));
  await until(() => states.length === 1);
  for (const socket of live.clients) socket.terminate();
  await until(() => states.length === 3);
  expect(states).toEqual([true, false, true]);
  expect(offered).toHaveLength(2);
  stop();
});

test("where there are no WebSockets, or the address is none, figures are asked for", async () => {
  const told: LiveUpdate[] = [];
  client({ WebSocket: undefined as never }).subscribe((update) => told.push(update))();
  const broken = client({ apiEndpoint: "nowhere" });
  broken.subscribe((update) => told.push(update))();
  expect(told).toEqual(Array(2).fill({ type: "connection", connected: false }));
  await expect(broken.getSessionStats()).rejects.toMatchObject({ code: "NETWORK" });
});

test("without a key none is sent, and what is no JSON is an error", async () => {
  server.removeAllListeners("request");
  const seen: (string | undefined)[] = [];
  server.on("request", (request, response) => {
    seen.push(request.headers.authorization);
    response.end("<html>");
  });
  await expect(client().getSessionStats()).rejects.toMatchObject({ code: "INVALID_ANSWER" });
  expect(seen).toEqual([undefined]);
});

test("a server that takes too long is given up", async () => {
  server.removeAllListeners("request");
  server.on("request", () => {});
  await expect(client({ timeoutMs: 50 }).getSessionStats()).rejects.toMatchObject({ code: "TIMEOUT" });
});
