import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MarketplaceSDK } from "../../src/package/index";
import { leavePage } from "./backend";

// A page that is open for eight hours: what the SDK holds at the end is what it held at the beginning.

const HOUR = 3_600_000;
const { timeout } = AbortSignal;
setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Counts what is added to and removed from a target. */
function watch(target: EventTarget) {
  const present = new Map<string, Set<unknown>>();
  const { addEventListener, removeEventListener } = target;
  target.addEventListener = function (this: EventTarget, type: string, listener: never, options?: never) {
    const all = present.get(type) ?? new Set();
    present.set(type, all.add(listener));
    const { signal } = ((typeof options === "object" && options) || {}) as { signal?: AbortSignal };
    signal?.addEventListener("abort", () => all.delete(listener), { once: true });
    addEventListener.call(target, type, listener, options);
  } as never;
  target.removeEventListener = function (this: EventTarget, type: string, listener: never, options?: never) {
    present.get(type)?.delete(listener);
    removeEventListener.call(target, type, listener, options);
  } as never;
  return {
    count: () => [...present.values()].reduce((sum, all) => sum + all.size, 0),
    restore() {
      Object.assign(target, { addEventListener, removeEventListener });
    },
  };
}

let view: Record<string, unknown>;
let asked: Record<string, number>;
let watched: ReturnType<typeof watch>[];

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
  });
  // The fallback for browsers without it: its timers are counted, too.
  Object.assign(AbortSignal, { timeout: undefined });
  watched = [window, document].map(watch);
  asked = {};
  const now = Math.floor(Date.now() / 1000);
  view = {
    id: "s-1",
    provider_id: "prov_demo",
    status: "active",
    version: 1,
    expires_at: now + 9 * 3600,
    duration_limit_seconds: 9 * 3600,
    tokens_allocated: 1,
    return_url: "https://market.example/done",
    extension: { additional_seconds: 60, tokens: 1, max_count: 1e6, used: 0 },
    pause: { max_count: 1e6, max_seconds: 60, used: 0 },
  };
  const gate: typeof fetch = async (input) => {
    const path = `${input}`.split("/").pop() ?? "";
    asked[path] = (asked[path] ?? 0) + 1;
    const server_time_ms = Date.now();
    const version = Number(view.version) + 1;
    if (path === "extend") view = { ...view, version, expires_at: Number(view.expires_at) + 60 };
    if (path === "pause")
      view = { ...view, version, status: "paused", paused_at: Math.floor(server_time_ms / 1000) };
    if (path === "resume") view = { ...view, version, status: "active" };
    const { status, expires_at } = view;
    const answer =
      path === "heartbeat"
        ? {
            acknowledged: true,
            remaining_seconds: 1,
            status,
            version: view.version,
            expires_at,
            server_time_ms,
          }
        : { session: view, server_time_ms };
    return new Response(JSON.stringify(answer), { status: path === "events" ? 202 : 200 });
  };
  Object.defineProperty(navigator, "sendBeacon", { value: () => true, configurable: true });
  Object.defineProperty(window, Symbol.for("sessiongate"), { value: { fetch: gate }, configurable: true });
});

afterEach(() => {
  for (const one of watched) one.restore();
  Object.assign(AbortSignal, { timeout });
  vi.useRealTimers();
  leavePage();
  localStorage.clear();
  history.replaceState(null, "", "/");
});

const listeners = () => watched.reduce((sum, one) => sum + one.count(), 0);

function see(state: "hidden" | "visible") {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}

async function open(): Promise<MarketplaceSDK> {
  const sdk = new MarketplaceSDK({ apiEndpoint: "", ui: false, redirect: false, pauseWhenHidden: false });
  const opening = sdk.initialize();
  // What is loaded is a real file, which fake time does not bring.
  while (!sdk.getSessionData()) await new Promise((resolve) => setImmediate(resolve));
  await opening;
  return sdk;
}

/** Waits for a moment when the timeouts of requests have run out; heartbeats are further apart than those. */
async function measure() {
  const count = () => Object.values(asked).reduce((sum, n) => sum + n, 0);
  for (let quiet = 0, known = count(); quiet < 12; quiet++) {
    await vi.advanceTimersByTimeAsync(1_000);
    if (count() !== known) quiet = 0;
    known = count();
  }
  collect();
  return { listeners: listeners(), timers: vi.getTimerCount(), heap: process.memoryUsage().heapUsed };
}

/** What a user and an app do in half an hour. */
async function halfAnHour(sdk: MarketplaceSDK, round: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(HOUR / 8);
  await sdk.extend({ signal: new AbortController().signal });
  sdk.track("level.done", { level: `${round}` });
  see("hidden");
  await vi.advanceTimersByTimeAsync(HOUR / 8);
  see("visible");
  await sdk.pauseTimer();
  await vi.advanceTimersByTimeAsync(1_000);
  await sdk.resumeTimer();
  history.pushState(null, "", `/route/${round % 7}`);
  dispatchEvent(new PopStateEvent("popstate"));
  sdk.subscribe(() => {})();
  sdk.on("onHeartbeat", () => {})();
  // Another component opens the same session, and goes.
  const second = await open();
  await vi.advanceTimersByTimeAsync(60_000);
  second.destroy();
  const aborter = new AbortController();
  const call = sdk.extend({ signal: aborter.signal }).catch(() => {});
  aborter.abort();
  await call;
  await vi.advanceTimersByTimeAsync(HOUR / 4 - 61_000);
}

test("eight hours of heartbeats, extensions, pauses, routes and mounts leave nothing behind", {
  timeout: 300_000,
}, async () => {
  const before = { listeners: listeners(), timers: vi.getTimerCount() };
  const sdk = await open();
  await halfAnHour(sdk, 0);
  await halfAnHour(sdk, 1);
  const early = await measure();
  for (let round = 2; round < 16; round++) await halfAnHour(sdk, round);
  const late = await measure();
  expect([late.listeners, late.timers]).toEqual([early.listeners, early.timers]);
  expect(late.heap - early.heap).toBeLessThan(4 << 20);
  // It was not idle.
  expect(asked.extend).toBeGreaterThanOrEqual(16);
  expect(asked.heartbeat).toBeGreaterThan(400);
  expect(sdk.getSessionData()?.status).toBe("active");
  sdk.destroy();
  // The timeouts of requests that were answered run out by themselves.
  await vi.advanceTimersByTimeAsync(20_000);
  expect([listeners(), vi.getTimerCount()]).toEqual([before.listeners, before.timers]);
});
