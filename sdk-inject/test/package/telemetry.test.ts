import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { failure } from "../../src/package/errors";
import { MarketplaceSDK } from "../../src/package/index";
import { createTelemetry, type TelemetryEffects } from "../../src/package/telemetry";
import { FakeClock, until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

const clock = () => new FakeClock();
function create(effects: Partial<TelemetryEffects> = {}) {
  const sent: string[] = [];
  const time = clock();
  const telemetry = createTelemetry({
    send: (body) => void sent.push(body),
    sampleRate: 1,
    random: () => 0.5,
    clock: time,
    isPrivate: () => false,
    ...effects,
  });
  return { telemetry, sent, time };
}
const failed = failure("no answer from https://api.example/?user=7 eyJx.eyJy.z", "HTTP_502", 502);

test("errors are counted by kind and sent together, with a code and nothing of the message", async () => {
  const { telemetry, sent, time } = create();
  for (let i = 0; i < 3; i++) telemetry.add("heartbeat", failed);
  telemetry.add("error", failure("", "LAUNCH_SPENT", 409));
  expect(sent).toEqual([]);
  await time.advance(10_000);
  expect(sent.map((body) => JSON.parse(body))).toEqual([
    {
      version: 1,
      errors: [
        { code: "HTTP_502", kind: "network", status: 502, source: "heartbeat", count: 3 },
        { code: "LAUNCH_SPENT", kind: "auth", status: 409, source: "error", count: 1 },
      ],
    },
  ]);
  await time.advance(600_000);
  expect([sent.length, time.pending]).toEqual([1, 0]);
});

test("a page that fails for eight hours sends a bounded number of reports", async () => {
  const { telemetry, sent, time } = create();
  const errors = Array.from({ length: 40 }, (_, n) => failure("", `HTTP_${400 + n}`, 400 + n));
  for (let minute = 0; minute < 480; minute++) {
    const before = sent.length;
    for (let i = 0; i < 3; i++) {
      for (const error of errors) telemetry.add("error", error);
      await time.advance(20_000);
    }
    expect(sent.length - before).toBeLessThanOrEqual(4);
  }
  expect(sent.length).toBeLessThanOrEqual(60);
  for (const body of sent) expect(body.length).toBeLessThan(4_000);
  expect(time.pending).toBe(0);
});

test.each([
  ["Global Privacy Control", { isPrivate: () => true }],
  ["a page that is not in the sample", { sampleRate: 0.5, random: () => 0.5 }],
  ["a rate of 0", { sampleRate: 0, random: () => 0 }],
])("%s sends nothing and keeps no timer", async (_, effects) => {
  const { telemetry, sent, time } = create(effects);
  telemetry.add("error", failed);
  telemetry.leave();
  expect([sent.length, time.pending]).toEqual([0, 0]);
});

test("what is waiting goes out when the page is left, and a send that throws changes nothing", () => {
  const { telemetry, sent, time } = create();
  telemetry.add("error", failed);
  telemetry.leave();
  telemetry.leave();
  expect([sent.length, time.pending]).toEqual([1, 0]);
  const broken = create({
    send: () => {
      throw new Error("refused");
    },
  }).telemetry;
  broken.add("error", failed);
  expect(() => broken.leave()).not.toThrow();
});

let backend: TestBackend;
let apiEndpoint: string;
const undo: (() => void)[] = [];
beforeEach(async () => {
  backend = new TestBackend();
  apiEndpoint = await backend.start();
  undo.push(() => backend.stop());
});
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
  leavePage();
  localStorage.clear();
  vi.restoreAllMocks();
});

async function collector() {
  const bodies: { text: string; headers: object; url: string }[] = [];
  const server = createServer(async (request, response) => {
    const allow = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type" };
    if (request.method === "OPTIONS") return void response.writeHead(204, allow).end();
    let text = "";
    for await (const chunk of request) text += chunk;
    bodies.push({ text, headers: request.headers, url: request.url ?? "" });
    response.writeHead(500).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  undo.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { bodies, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/errors` };
}

test("an error of opening is reported without token, address, user or cookie, and the page goes on", async () => {
  const { bodies, endpoint } = await collector();
  // happy-dom has no opaque responses.
  const plain = window.fetch;
  const inits: RequestInit[] = [];
  vi.spyOn(window, "fetch").mockImplementation((input, init) => {
    if (`${input}` !== endpoint) return plain.call(window, input, init);
    inits.push(init ?? {});
    return plain.call(window, input, { ...init, mode: "cors" });
  });
  backend.script.set("launch", Array(9).fill([409, "launch_spent"]));
  history.replaceState(null, "", "/app?secret=of-the-page");
  const launch = token();
  const sdk = new MarketplaceSDK({ apiEndpoint, token: launch, ui: false, telemetry: { endpoint } });
  await expect(sdk.initialize()).rejects.toMatchObject({ code: "LAUNCH_SPENT" });
  expect(bodies).toEqual([]);
  sdk.destroy();
  await until(() => bodies.length);
  const [{ text = "", headers = {}, url = "" } = {}] = bodies;
  expect(JSON.parse(text).errors).toEqual([
    { code: "LAUNCH_SPENT", kind: "auth", status: 409, source: "error", count: 1 },
  ]);
  expect(url).toBe("/errors");
  for (const secret of [launch, "eyJ", "of-the-page", "user_7", "s-1"])
    expect(text + JSON.stringify(headers)).not.toContain(secret);
  expect(inits[0]).toMatchObject({
    credentials: "omit",
    referrerPolicy: "no-referrer",
    keepalive: true,
    mode: "no-cors",
  });
  history.replaceState(null, "", "/");
});

test("it is off by default, and with Global Privacy Control", async () => {
  const { bodies, endpoint } = await collector();
  Object.defineProperty(navigator, "globalPrivacyControl", { value: true, configurable: true });
  undo.push(() => Reflect.deleteProperty(navigator, "globalPrivacyControl"));
  const called = vi.spyOn(window, "fetch");
  for (const telemetry of [undefined, { endpoint }]) {
    backend.script.set("launch", Array(9).fill([409, "launch_spent"]));
    const sdk = new MarketplaceSDK({ apiEndpoint, token: token(), ui: false, telemetry });
    await expect(sdk.initialize()).rejects.toMatchObject({ code: "LAUNCH_SPENT" });
    sdk.destroy();
  }
  for (const [input] of called.mock.calls) expect(`${input}`).not.toBe(endpoint);
  expect(bodies).toEqual([]);
});

test.each([
  { endpoint: "http://errors.example" },
  { endpoint: "" },
  { endpoint: "https://errors.example", sampleRate: 2 },
  { endpoint: "https://errors.example", sampleRate: Number.NaN },
])("the configuration %j is refused", (telemetry) => {
  expect(() => new MarketplaceSDK({ apiEndpoint, telemetry })).toThrow(/telemetry/);
});
