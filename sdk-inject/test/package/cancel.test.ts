import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { orAborted, shared } from "../../src/package/cancel";
import type { SDKConfig } from "../../src/package/config";
import { MarketplaceSDK } from "../../src/package/index";
import { pause } from "../../src/package/signals";
import { FakeClock, until } from "../fake";
import { leavePage, TestBackend, token } from "./backend";
import { counted } from "./counted";

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

function create(config: Partial<SDKConfig> = {}): MarketplaceSDK {
  const sdk = new MarketplaceSDK({ apiEndpoint, token: token(), ui: false, redirect: false, ...config });
  undo.push(() => sdk.destroy());
  return sdk;
}

/** Answers a path of the backend only when told to. The SDK takes the page's fetch when it opens. */
function held(path: string) {
  const plain = window.fetch;
  const waiting: (() => void)[] = [];
  let aborted = 0;
  let holding = true;
  vi.spyOn(window, "fetch").mockImplementation((input, init) => {
    if (!holding || !`${input}`.endsWith(`/${path}`)) return plain.call(window, input, init);
    return new Promise((resolve, reject) => {
      const stop = () => {
        aborted++;
        reject(init?.signal?.reason);
      };
      if (init?.signal?.aborted) return stop();
      init?.signal?.addEventListener("abort", stop);
      waiting.push(() => resolve(plain.call(window, input, { ...init, signal: null })));
    });
  });
  const free = () => {
    holding = false;
  };
  return { waiting, aborted: () => aborted, free };
}

const calls = ["initialize", "pauseTimer", "resumeTimer", "extend", "endSession"] as const;

test.each(calls)("%s with an aborted signal rejects with its reason and sends nothing", async (name) => {
  const onError = vi.fn();
  const sdk = create({ onError });
  if (name !== "initialize") await sdk.initialize();
  const before = backend.seen.length;
  const reason = new Error("theirs");
  const { signal, listeners } = counted();
  Object.defineProperty(signal, "aborted", { value: true });
  Object.defineProperty(signal, "reason", { value: reason });
  await expect(sdk[name]({ signal })).rejects.toBe(reason);
  expect([backend.seen.length - before, listeners(), onError.mock.calls.length]).toEqual([0, 0, 0]);
});

test.each(["pauseTimer", "extend", "endSession"] as const)(
  "%s that is given up while the server works rejects at once, and the state is fetched",
  async (name) => {
    const path = { pauseTimer: "pause", extend: "extend", endSession: "end" }[name];
    const server = held(path);
    const sdk = create();
    await sdk.initialize();
    const { signal, abort, listeners } = counted();
    const call = sdk[name]({ signal });
    await until(() => server.waiting.length);
    const reason = new DOMException("The user left the dialog.", "AbortError");
    abort(reason);
    await expect(call).rejects.toBe(reason);
    await until(() => server.aborted());
    await until(() => backend.count("validate"));
    expect(listeners()).toBe(0);
    expect(backend.count(path)).toBe(0);
    expect(sdk.getSessionData()?.status).toBe("active");
    // Nothing is left of it: the same call succeeds.
    server.free();
    await sdk[name]();
    expect(backend.count(path)).toBe(1);
  },
);

test("an extension that was bought although its answer was given up shows", async () => {
  const server = held("extend");
  const sdk = create();
  await sdk.initialize();
  const before = sdk.getSessionData()?.expiresAt ?? 0;
  const { signal, abort } = counted();
  const call = sdk.extend({ signal });
  await until(() => server.waiting.length);
  // The server has it, and its answer is lost.
  backend.change({ expires_at: before + 60, duration_limit_seconds: 660 });
  abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  await until(() => sdk.getSessionData()?.expiresAt === before + 60);
});

test("a purchase whose answer was given up keeps its idempotency key for the next try", async () => {
  const keys: (string | null)[] = [];
  const plain = window.fetch;
  let stuck = true;
  vi.spyOn(window, "fetch").mockImplementation((input, init) => {
    if (!`${input}`.endsWith("/extend")) return plain.call(window, input, init);
    keys.push(new Headers(init?.headers).get("Idempotency-Key"));
    if (!stuck) return plain.call(window, input, init);
    return new Promise((_, reject) =>
      init?.signal?.addEventListener("abort", () => reject(new Error("gone"))),
    );
  });
  const sdk = create();
  await sdk.initialize();
  const { signal, abort } = counted();
  const call = sdk.extend({ signal });
  await until(() => keys.length);
  abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  stuck = false;
  await sdk.extend();
  expect(keys.length).toBe(2);
  expect(keys[1]).toBe(keys[0]);
});

test("a call that waits for its next try is given up: no timer stays, no request follows", async () => {
  const sdk = create();
  await sdk.initialize();
  backend.script.set("pause", Array(9).fill([503, "unavailable"]));
  const { signal, abort, listeners } = counted();
  const call = sdk.pauseTimer({ signal });
  await until(() => backend.count("pause") === 1);
  await until(() => backend.count("validate")); // the first try has failed
  abort("enough");
  await expect(call).rejects.toBe("enough");
  expect(listeners()).toBe(0);
  backend.script.clear();
  await sdk.pauseTimer();
  expect(backend.count("pause")).toBe(2);
});

test("opening is given up between two tries, and can be repeated with the same token", async () => {
  const onError = vi.fn();
  const sdk = create({ onError });
  backend.script.set("launch", Array(9).fill("drop"));
  const { signal, abort, listeners } = counted();
  const call = sdk.initialize({ signal });
  await until(() => backend.count("launch"));
  const reason = new Error("the route changed");
  abort(reason);
  await expect(call).rejects.toBe(reason);
  expect([listeners(), onError.mock.calls.length, sdk.getSessionData()]).toEqual([0, 0, null]);
  backend.script.clear();
  expect((await sdk.initialize()).sessionId).toBe("s-1");
});

test("one caller gives up, and the other still gets the session", async () => {
  const sdk = create();
  const server = held("launch");
  const { signal, abort } = counted();
  const given = sdk.initialize({ signal });
  const kept = sdk.initialize();
  await until(() => server.waiting.length);
  abort();
  await expect(given).rejects.toMatchObject({ name: "AbortError" });
  expect(server.aborted()).toBe(0);
  for (const answer of server.waiting) answer();
  expect((await kept).sessionId).toBe("s-1");
  expect(backend.count("launch")).toBe(1);
});

test("a signal that is aborted after the call changes nothing", async () => {
  const sdk = create();
  const { signal, abort, listeners } = counted();
  await sdk.initialize({ signal });
  await sdk.pauseTimer({ signal });
  await sdk.resumeTimer({ signal });
  await sdk.extend({ signal });
  expect(listeners()).toBe(0);
  abort();
  expect(sdk.getSessionData()?.status).toBe("active");
  await sdk.pauseTimer();
  expect(sdk.getSessionData()?.status).toBe("paused");
});

test("endSession that is given up while the app saves its work does not end the session", async () => {
  const { signal, abort } = counted();
  const saving = vi.fn(() => new Promise<void>(() => {}));
  const sdk = create({ onBeforeEnd: saving });
  await sdk.initialize();
  const call = sdk.endSession({ signal });
  await until(() => saving.mock.calls.length);
  abort();
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([backend.count("end"), sdk.getSessionData()?.status]).toEqual([0, "active"]);
});

test("a pause keeps neither a timer nor a listener, however it ends", async () => {
  const clock = new FakeClock();
  const { signal, abort, listeners } = counted();
  const first = pause(clock, 1_000, signal);
  expect([clock.pending, listeners()]).toEqual([1, 1]);
  await clock.advance(1_000);
  await first;
  expect([clock.pending, listeners()]).toEqual([0, 0]);
  const second = pause(clock, 1_000, signal);
  abort();
  await second;
  await pause(clock, 1_000, signal);
  expect([clock.pending, listeners()]).toEqual([0, 0]);
});

test("a shared operation is aborted when its last caller gives up, and the next one starts after it", async () => {
  const runs: AbortSignal[] = [];
  let finish = () => {};
  const call = shared((signal) => {
    runs.push(signal);
    return new Promise<number>((resolve) => {
      finish = () => resolve(runs.length);
    });
  });
  const [one, other] = [counted(), counted()];
  const both = [call(one), call(other)];
  expect(runs.length).toBe(1);
  one.abort(1);
  await expect(both[0]).rejects.toBe(1);
  expect(runs[0]?.aborted).toBe(false);
  other.abort(2);
  await expect(both[1]).rejects.toBe(2);
  expect(runs[0]?.aborted).toBe(true);
  const next = call();
  expect(runs.length).toBe(1);
  finish();
  await until(() => runs.length === 2);
  finish();
  expect(await next).toBe(2);
  expect([one.listeners(), other.listeners()]).toEqual([0, 0]);
});

test("a promise that rejects after its caller has given up is not reported as unhandled", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const { signal, abort } = counted();
  let fail = (_: Error) => {};
  const call = orAborted(
    new Promise((_, reject) => {
      fail = reject;
    }),
    signal,
  );
  abort("enough");
  await expect(call).rejects.toBe("enough");
  fail(new Error("late"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});
