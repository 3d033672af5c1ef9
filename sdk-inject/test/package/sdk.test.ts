import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SDKConfig } from "../../src/package/config";
import { decodeToken, MarketplaceSDK, SDKError } from "../../src/package/index";
import { until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";

let backend: TestBackend;
let apiEndpoint: string;
const made: MarketplaceSDK[] = [];

beforeEach(async () => {
  backend = new TestBackend();
  apiEndpoint = await backend.start();
  history.replaceState(null, "", "/");
});

afterEach(() => {
  for (const sdk of made.splice(0)) sdk.destroy();
  backend.stop();
  leavePage();
  localStorage.clear();
  sessionStorage.clear();
});

function create(config: Partial<SDKConfig> = {}): MarketplaceSDK {
  const sdk = new MarketplaceSDK({ apiEndpoint, token: token(), ui: false, redirect: false, ...config });
  made.push(sdk);
  return sdk;
}

test("opens the session with the token as Bearer, and tells of it", async () => {
  const started = vi.fn();
  const sdk = create({ onSessionStart: started });
  const also = vi.fn();
  sdk.on("onSessionStart", also);
  const data = await sdk.initialize();
  expect(data).toMatchObject({
    sessionId: "s-1",
    userId: "user_7",
    providerId: "prov_demo",
    tokensAllocated: 100,
    durationSeconds: 600,
    returnUrl: "https://market.example/done",
    status: "active",
  });
  expect(sdk.getSessionData()).toEqual(data);
  expect(started).toHaveBeenCalledOnce();
  expect(also).toHaveBeenCalledOnce();
  const [first] = backend.seen;
  expect(first).toMatchObject({ path: "launch", body: {} });
  expect(first?.headers.authorization).toMatch(/^Bearer ey/);
  expect(sdk.getRemainingTime()).toBeGreaterThan(500);
  expect(sdk.getFormattedTime()).toMatch(/^(10:00|[89]:\d\d)$/);
  expect(await sdk.initialize()).toBe(data);
});

test("takes the token from the address and leaves nothing of it there", async () => {
  history.replaceState({ mine: 1 }, "", `/app?a=1+2&session=${token()}&b=%20#top`);
  await create({ token: undefined as never }).initialize();
  expect(location.href).toMatch(/\/app\?a=1\+2&b=%20#top$/);
  expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain("eyJ");
});

test("keeps the token over a reload only where it is asked to", async () => {
  await create({ tokenStorage: "session" }).initialize();
  for (const sdk of made.splice(0)) sdk.destroy();
  const again = create({ token: undefined as never, tokenStorage: "session" });
  expect((await again.initialize()).sessionId).toBe("s-1");
});

test("without a token there is no session", async () => {
  const onError = vi.fn();
  const failed = create({ token: undefined as never, onError }).initialize();
  await expect(failed).rejects.toMatchObject({ code: "MISSING_TOKEN" });
  expect(onError).toHaveBeenCalledOnce();
});

test.each([
  [409, "session_completed", "SESSION_COMPLETED"],
  [409, "launch_spent", "LAUNCH_SPENT"],
  [401, "token_invalid", "TOKEN_INVALID"],
  [409, "session_canceled", "SESSION_CANCELED"],
])("a refusal (%d %s) is an error with a stable code", async (status, code, want) => {
  backend.script.set("launch", Array(5).fill([status, code]));
  await expect(create().initialize()).rejects.toMatchObject({ name: "SDKError", code: want });
});

test("a lost answer is asked for again", async () => {
  backend.script.set("launch", ["drop"]);
  expect((await create().initialize()).sessionId).toBe("s-1");
  // Under the same key, so that the first answer may have been lost after the launch was redeemed.
  const keys = backend.seen.map(({ headers }) => headers["idempotency-key"]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(keys.slice(0, 2)).size).toBe(1);
});

test("a server that stays away is an error of the network", async () => {
  backend.stop();
  await expect(create().initialize()).rejects.toMatchObject({ code: "NETWORK" });
});

test("initialize can be called again after it failed: the token is kept", async () => {
  history.replaceState(null, "", `/?session=${token()}`);
  backend.script.set("launch", Array(20).fill("drop"));
  const sdk = create({ token: undefined as never });
  await expect(sdk.initialize()).rejects.toMatchObject({ code: "NETWORK" });
  backend.script.clear();
  expect((await sdk.initialize()).sessionId).toBe("s-1");
});

test("pausing asks the server; a refusal leaves the clock running", async () => {
  const onPause = vi.fn();
  const onResume = vi.fn();
  const sdk = create({ onPause, onResume });
  await expect(sdk.pauseTimer()).rejects.toMatchObject({ code: "NOT_INITIALIZED" });
  await sdk.initialize();
  backend.script.set("pause", [[403, "pause_not_allowed"]]);
  await expect(sdk.pauseTimer()).rejects.toMatchObject({ code: "PAUSE_NOT_ALLOWED", statusCode: 403 });
  expect(sdk.getSessionData()?.status).toBe("active");
  expect(onPause).not.toHaveBeenCalled();
  await sdk.pauseTimer();
  expect(sdk.getSessionData()?.status).toBe("paused");
  await sdk.resumeTimer();
  expect([onPause.mock.calls.length, onResume.mock.calls.length]).toEqual([1, 1]);
});

test("a session that is paused already opens as paused", async () => {
  backend.change({ status: "paused", paused_at: Math.floor(Date.now() / 1000) - 5 });
  const sdk = create();
  expect((await sdk.initialize()).status).toBe("paused");
  const left = sdk.getRemainingTime();
  expect(left).toBe(600);
  await sdk.resumeTimer();
  expect(sdk.getSessionData()?.status).toBe("active");
});

test("a session whose clock starts at launch is started by its page, once", async () => {
  backend.change({ status: "pending" });
  expect((await create().initialize()).status).toBe("active");
  for (const sdk of made.splice(0)) sdk.destroy();
  await create().initialize();
  expect(backend.seen.map(({ path }) => path).filter((path) => !/heartbeat|events/.test(path))).toEqual([
    "launch",
    "launch",
  ]);
  expect(backend.seen[0]?.headers.authorization).toMatch(/^Bearer ey/);
});

test("the launch token opens the session, and everything after it goes with the session token", async () => {
  const launch = token();
  const sdk = create({ token: launch, tokenStorage: "session" });
  await sdk.initialize();
  const [session = ""] = backend.issued;
  expect(sessionStorage.getItem("sessiongate-token")).toBe(session);
  await sdk.pauseTimer();
  await sdk.resumeTimer();
  await sdk.extend();
  const used = backend.seen.map(({ path, headers }) => [path, headers.authorization]);
  expect(used[0]).toEqual(["launch", `Bearer ${launch}`]);
  expect(used.length).toBeGreaterThan(3);
  for (const [path, bearer] of used.slice(1)) expect([path, bearer]).toEqual([path, `Bearer ${session}`]);
  // A second instance with the same settings shares the access: the launch token is spent.
  expect((await create({ token: launch }).initialize()).sessionId).toBe("s-1");
  expect(backend.count("launch")).toBe(1);
  // The page is loaded again: what was stored is checked, not redeemed.
  for (const one of made.splice(0)) one.destroy();
  leavePage();
  expect((await create({ token: undefined as never, tokenStorage: "session" }).initialize()).sessionId).toBe(
    "s-1",
  );
  expect(backend.count("launch")).toBe(1);
  expect(backend.seen.find(({ path }) => path === "validate")?.headers.authorization).toBe(
    `Bearer ${session}`,
  );
  // Elsewhere the link opens nothing.
  for (const one of made.splice(0)) one.destroy();
  leavePage();
  await expect(create({ token: launch }).initialize()).rejects.toMatchObject({ code: "LAUNCH_SPENT" });
});

test("a service of a former version has no session token: the launch token goes on", async () => {
  backend.older = true;
  const launch = token();
  const sdk = create({ token: launch });
  await sdk.initialize();
  await sdk.extend();
  expect(new Set(backend.seen.map(({ headers }) => headers.authorization))).toEqual(
    new Set([`Bearer ${launch}`]),
  );
});

test("a session that can't be started any more says so", async () => {
  backend.change({ status: "pending" });
  backend.script.set("launch", [[409, "session_canceled"]]);
  await expect(create().initialize()).rejects.toMatchObject({ code: "SESSION_CANCELED" });
});

test("the server's time is measured by the first answer", async () => {
  const { now } = Date;
  const sdk = create();
  const wrong = vi.spyOn(Date, "now").mockImplementation(() => now() + 86_400_000);
  backend.time = now;
  await sdk.initialize();
  expect(sdk.getRemainingTime()).toBeGreaterThan(500);
  expect(sdk.getRemainingTime()).toBeLessThanOrEqual(600);
  expect(backend.count("heartbeat")).toBe(0);
  wrong.mockRestore();
});

test("events that found no server go out from the next page, under their key", async () => {
  const first = create({ tokenStorage: "session" });
  await first.initialize();
  backend.script.set("events", Array(9).fill("drop"));
  first.track("written.offline");
  window.dispatchEvent(new Event("pagehide"));
  await until(() => backend.count("events") === 1);
  const [lost] = backend.seen.filter(({ path }) => path === "events");
  first.destroy();
  backend.script.clear();
  await until(() => localStorage.getItem("sessiongate-events") !== null);
  await create({ tokenStorage: "session" }).initialize();
  await until(() =>
    backend.seen.some(
      ({ path, headers, body }) =>
        path === "events" &&
        headers["idempotency-key"] === lost?.headers["idempotency-key"] &&
        JSON.stringify(body).includes("written.offline"),
    ),
  );
});

test("extending buys the offer under one key", async () => {
  const onExtend = vi.fn();
  const sdk = create({ onExtend });
  await sdk.initialize();
  backend.script.set("extend", ["drop"]);
  await sdk.extend();
  expect(onExtend).toHaveBeenCalledWith(expect.objectContaining({ additionalSeconds: 60 }));
  const calls = backend.seen.filter(({ path }) => path === "extend");
  expect(calls.map(({ body }) => body)).toEqual(
    Array(2).fill({ additional_seconds: 60, tokens_to_deduct: 5 }),
  );
  expect(new Set(calls.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
});

test("without an offer the user has to agree elsewhere", async () => {
  backend.session.extension = undefined;
  const sdk = create();
  await sdk.initialize();
  await expect(sdk.extend()).rejects.toMatchObject({ code: "CONSENT_REQUIRED" });
});

test("ending lets the app save first, then says so once", async () => {
  const order: string[] = [];
  const sdk = create({
    onBeforeEnd: async () => void order.push(`saved before ${backend.count("end")} ends`),
    onSessionEnd: ({ reason }) => order.push(reason),
  });
  await sdk.initialize();
  await sdk.endSession();
  expect(order).toEqual(["saved before 0 ends", "completed"]);
  expect(sdk.getSessionData()?.status).toBe("ended");
  expect(sdk.getRemainingTime()).toBe(0);
});

test("warns once at the configured threshold", async () => {
  backend.stop();
  backend = new TestBackend(100);
  apiEndpoint = await backend.start();
  const onSessionWarning = vi.fn();
  await create({ warningThresholdSeconds: 50, onSessionWarning }).initialize();
  expect(onSessionWarning).not.toHaveBeenCalled();
  backend.stop();
  backend = new TestBackend(100);
  backend.session.expires_at -= 60;
  apiEndpoint = await backend.start();
  const sdk = create({ warningThresholdSeconds: 50, onSessionWarning });
  await sdk.initialize();
  expect(onSessionWarning).toHaveBeenCalledOnce();
  expect(onSessionWarning.mock.calls[0]?.[0].remainingSeconds).toBeLessThanOrEqual(40);
});

test("heartbeats beat at their interval and tell of failures", async () => {
  const beats: number[] = [];
  await create({ heartbeatIntervalMs: 60, onHeartbeat: ({ failures }) => beats.push(failures) }).initialize();
  await until(() => beats.length >= 2);
  backend.script.set("heartbeat", [[503, "unavailable"]]);
  await until(() => beats.includes(1));
});

test("custom events go out in batches under a key, without personal data", async () => {
  const sdk = create();
  await sdk.initialize();
  sdk.track("level.done", { level: "3" });
  expect(() => sdk.track("Not OK")).toThrow(SDKError);
  expect(() => sdk.track("ok", { n: 1 as never })).toThrow(SDKError);
  for (let i = 0; i < 50; i++) sdk.track("tick");
  await until(() => backend.count("events") === 1);
  const sent = backend.seen.find(({ path }) => path === "events");
  const { events } = (sent?.body ?? {}) as { events: { name: string }[] };
  expect(events).toHaveLength(50);
  expect(events.map(({ name }) => name)).toContain("level.done");
  expect(sent?.headers["idempotency-key"]).toMatch(/^[0-9a-f]{32}$/);
});

test("what waits is sent when the page goes", async () => {
  const sdk = create();
  await sdk.initialize();
  sdk.track("last.word");
  window.dispatchEvent(new Event("pagehide"));
  await until(() =>
    backend.seen.some(({ path, body }) => path === "events" && JSON.stringify(body).includes("last.word")),
  );
});

test("a hidden page pauses, where that is wanted, and goes on when it is seen", async () => {
  const onVisibility = vi.fn();
  const sdk = create({ pauseWhenHidden: true, onVisibility });
  await sdk.initialize();
  const see = (state: string) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  };
  see("hidden");
  await until(() => sdk.getSessionData()?.status === "paused");
  see("visible");
  await until(() => sdk.getSessionData()?.status === "active");
  expect(onVisibility.mock.calls.map(([data]) => data.hidden)).toEqual([true, false]);
  // A refused pause is told, and nothing stops.
  const onError = vi.fn();
  sdk.on("onError", onError);
  backend.script.set("pause", [[403, "pause_not_allowed"]]);
  see("hidden");
  await until(() => onError.mock.calls.length > 0);
  expect(onError.mock.calls[0]?.[0].code).toBe("PAUSE_NOT_ALLOWED");
  see("visible");
});

test("behind the gate it joins the gate's session, without a token", async () => {
  const beacon = vi.fn(() => true);
  Object.defineProperty(navigator, "sendBeacon", { value: beacon, configurable: true });
  const calls: string[] = [];
  const gate: typeof fetch = async (input) => {
    calls.push(String(input));
    return new Response(JSON.stringify({ session: backend.session, server_time_ms: Date.now() }));
  };
  Object.defineProperty(window, Symbol.for("sessiongate"), { value: { fetch: gate }, configurable: true });
  const sdk = create({ token: undefined as never });
  expect((await sdk.initialize()).sessionId).toBe("s-1");
  expect(calls[0]).toBe(`${location.origin}/.session-gate/session`);
  sdk.destroy();
  expect(beacon).toHaveBeenCalledWith(`${location.origin}/.session-gate/heartbeat`, expect.anything());
  Reflect.deleteProperty(window, Symbol.for("sessiongate"));
});

test("a handler that throws stops nothing, an unsubscribed one is not called", async () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const silent = vi.fn();
  const sdk = create({
    onSessionStart: () => {
      throw new Error("theirs");
    },
  });
  sdk.on("onSessionStart", silent)();
  const ticks = vi.fn();
  const stop = sdk.subscribe(ticks);
  await sdk.initialize();
  expect(reported).toHaveBeenCalledOnce();
  expect(silent).not.toHaveBeenCalled();
  expect(ticks).toHaveBeenCalled();
  stop();
  vi.unstubAllGlobals();
});

test("a destroyed SDK is silent and can't be used", async () => {
  const debug = vi.spyOn(console, "debug").mockImplementation(() => {});
  const sdk = create({ debug: true });
  await sdk.initialize();
  expect(debug.mock.calls.flat().join()).not.toContain("eyJ");
  sdk.startTimer();
  sdk.destroy();
  sdk.destroy();
  await expect(sdk.initialize()).rejects.toMatchObject({ code: "DESTROYED" });
  debug.mockRestore();
});

test("configuration is checked", async () => {
  expect(() => create({ apiEndpoint: "http://api.example.com" })).toThrow(/https/);
  const elsewhere = create({ callbackDomain: "app.example.com" });
  await expect(elsewhere.initialize()).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  const unknown = create({ callbackDomain: location.hostname });
  expect(() => unknown.startTimer()).toThrow(/initialize/);
});

test("tokens are read as UTF-8", () => {
  expect(decodeToken(token({ name: "Zoë 日本 🎟" })).name).toBe("Zoë 日本 🎟");
  expect(() => decodeToken("")).toThrow(expect.objectContaining({ code: "INVALID_TOKEN" }));
  expect(() => decodeToken("a.b")).toThrow(expect.objectContaining({ code: "MALFORMED_TOKEN" }));
  expect(() => decodeToken("a.%%%.c")).toThrow(expect.objectContaining({ code: "DECODE_ERROR" }));
  expect(() => decodeToken("a.e30.c")).toThrow(expect.objectContaining({ code: "INVALID_JWT" }));
});
