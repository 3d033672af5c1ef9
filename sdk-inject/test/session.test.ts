import { afterEach, expect, test } from "vitest";
import { createActions } from "../src/actions";
import { createApi } from "../src/api";
import { createServerClock } from "../src/clock";
import { createSession } from "../src/session";
import { createStore, type Store } from "../src/store";
import { FakeClock, goOn, settle, until } from "./fake";
import { type Answer, problem, TestGate } from "./gate";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0)) one();
});

/** A page over a real gate, with the page's time in the test's hands. */
async function page(
  view = {},
  shared?: { gate: TestGate; clock: FakeClock; base: string; store: Store },
  timeoutMs = 30_000,
) {
  const clock = shared?.clock ?? new FakeClock();
  const gate = shared?.gate ?? new TestGate(() => clock.wall, view);
  const base = shared?.base ?? (await gate.start());
  if (!shared) undo.push(() => gate.stop());
  const serverClock = createServerClock(clock);
  const beacons: { url: string; body: Blob }[] = [];
  const store = shared?.store ?? createStore(() => ({ getItem: () => null }) as unknown as Storage);
  let reading = 0;
  const api = createApi({
    // Counts the calls whose answers the page has not read yet.
    async fetch(input, init) {
      reading++;
      try {
        const response = await fetch(input, init);
        const body = await response.text();
        return new Response(body, response);
      } finally {
        reading--;
      }
    },
    sendBeacon: (url, body) => beacons.push({ url, body }) > 0,
    serverClock,
    timeoutMs,
    base,
  });
  const session = createSession({
    api,
    clock,
    serverClock,
    random: () => 0.5,
    store,
    channel: (name) => new BroadcastChannel(name),
  });
  undo.push(() => session.leave());
  let keys = 0;
  const actions = createActions({ api, session, clock, random: () => 0.5, newKey: () => `key-${++keys}` });
  let ticks = 0;
  session.subscribe(() => ticks++);
  const phase = () => session.state().phase;
  const offer = () => {
    const state = session.state();
    if (!("view" in state) || !state.view.extension) throw new Error("no offer");
    return state.view.extension;
  };
  /** Until the call number n of that path has been answered, and the page has read the answer. */
  const answered = async (path: string, n: number) => {
    await until(() => gate.count(path) >= n && gate.idle && !reading, `${path} answered ${n} times`);
    await settle();
  };
  const awake = async () => {
    session.wake();
    await answered("session", 1);
  };
  return {
    answered,
    clock,
    gate,
    base,
    session,
    actions,
    api,
    beacons,
    store,
    phase,
    offer,
    awake,
    ticks: () => ticks,
  };
}

test("shows the server's deadline, whatever the browser's clock says", async () => {
  const p = await page();
  p.clock.skew = 86_400_000;
  await p.awake();
  expect(p.session.remaining()).toBe(600_000);
  // And when someone sets it right in the middle: one tick, one question.
  await p.clock.advance(10_000);
  p.clock.skew = 0;
  await p.clock.advance(1_000);
  await until(() => p.session.remaining() === 589_000);
});

test("every call is a POST, which no service worker answers from a cache", async () => {
  const p = await page();
  await p.awake();
  await p.clock.advance(31_000);
  await p.answered("heartbeat", 1);
  await p.actions.extend(p.offer());
  expect(p.gate.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST session",
    "POST heartbeat",
    "POST extend",
  ]);
});

test("a gate of a former version is asked by GET, at an address that no cache has", async () => {
  const p = await page();
  p.gate.answers("session", problem(405, "invalid_request"));
  p.session.wake();
  await until(() => p.phase() === "active");
  const [first, second] = p.gate.calls;
  expect([first?.method, second?.method]).toEqual(["POST", "GET"]);
  expect(second?.path).toMatch(/^session\?\d+$/);
});

test("ticks once a second while seen and never while hidden", async () => {
  const p = await page();
  await p.awake();
  const before = p.ticks();
  await p.clock.advance(5_100);
  expect(p.ticks() - before).toBe(5);
  p.session.sleep();
  const asleep = p.ticks();
  await p.clock.advance(120_000);
  expect(p.ticks()).toBe(asleep);
  expect(p.gate.count("heartbeat")).toBe(0);
  expect(p.clock.pending).toBe(0);
});

test("beats every 30 s and learns of an extension made elsewhere", async () => {
  const p = await page();
  await p.awake();
  await p.clock.advance(30_000);
  await p.answered("heartbeat", 1);
  const [beat] = p.gate.calls.filter(({ path }) => path === "heartbeat");
  expect(beat).toMatchObject({ method: "POST", body: { active: true } });
  expect(beat?.headers["content-type"]).toBe("application/json");
  p.gate.change({ expires_at: p.gate.view.expires_at + 600, duration_limit_seconds: 1200 });
  await p.clock.advance(30_000);
  await until(() => p.session.remaining() > 1_000_000);
});

test("a gate that is away is said so after two failures, and called less and less", async () => {
  const p = await page();
  await p.awake();
  const connected = () => (p.session.state() as { connected?: boolean }).connected;
  p.gate.answers("heartbeat", "drop", "drop");
  await p.clock.advance(30_000);
  await p.answered("heartbeat", 1);
  expect(connected()).toBe(true);
  await p.clock.advance(2_000);
  await p.answered("heartbeat", 2);
  expect(connected()).toBe(false);
  expect(p.phase()).toBe("active");
  await p.clock.advance(4_000);
  await until(() => connected() === true);
});

test("a server that asks for patience gets it", async () => {
  const p = await page();
  await p.awake();
  const busy = { status: 503, body: { code: "unavailable" }, headers: { "Retry-After": "50" } };
  p.gate.answers("heartbeat", busy);
  await p.clock.advance(30_000);
  await p.answered("heartbeat", 1);
  await p.clock.advance(49_000);
  expect(p.gate.count("heartbeat")).toBe(1);
  await p.clock.advance(1_500);
  await until(() => p.gate.count("heartbeat") === 2);
});

test("at the deadline the gate is asked before the end is shown", async () => {
  const p = await page({ expires_at: 1_700_000_008 });
  await p.awake();
  p.gate.change({ expires_at: 1_700_000_068 }); // another tab bought a minute
  await p.clock.advance(8_010);
  await until(() => p.session.remaining() > 50_000);
  expect(p.phase()).toBe("active");
  const refusal = problem(401, "session_expired", { return_url: "https://m.example/back", session_id: "s1" });
  p.gate.answers("session", ...Array<Answer>(20).fill(refusal));
  await goOn(p.clock, () => p.phase() === "ended");
  expect(p.session.state()).toEqual({
    phase: "ended",
    reason: "expired",
    returnUrl: "https://m.example/back",
    sessionId: "s1",
  });
  expect(p.clock.pending).toBe(0);
});

test("a gate that stays silent at the deadline does not keep the session open", async () => {
  const p = await page({ expires_at: 1_700_000_008 });
  await p.awake();
  p.gate.stop();
  await p.clock.advance(8_010);
  await goOn(p.clock, () => p.phase() === "ended");
  expect(p.session.state()).toMatchObject({ phase: "ended", reason: "expired" });
});

test("a revocation ends the page at the next heartbeat", async () => {
  const p = await page();
  await p.awake();
  p.gate.answers("heartbeat", problem(401, "session_revoked"));
  await p.clock.advance(30_000);
  await until(() => p.phase() === "ended");
  expect(p.session.state()).toMatchObject({ reason: "revoked", returnUrl: "https://market.example/receipt" });
});

test("a page without a session shows nothing and stays quiet", async () => {
  const p = await page();
  p.gate.answers("session", problem(401, "session_missing"));
  await p.awake();
  expect(p.phase()).toBe("absent");
  p.session.wake();
  await p.clock.advance(120_000);
  expect(p.gate.calls).toHaveLength(1);
});

test("an answer that is not the gate's is no answer; the first question is asked again", async () => {
  const p = await page();
  p.gate.answers("session", { body: "<h1>Hello</h1>" }, { status: 502, body: {} });
  p.session.wake();
  await p.answered("session", 1);
  expect(p.phase()).toBe("loading");
  await p.clock.advance(2_000);
  await p.answered("session", 2);
  await p.clock.advance(4_000);
  await until(() => p.phase() === "active");
});

test("a question that takes too long is given up", async () => {
  const p = await page({}, undefined, 50);
  p.gate.answers("session", "hang");
  const failed = p.api.session().catch((error: unknown) => error);
  await until(() => p.gate.calls.length === 1);
  expect(await failed).toMatchObject({ code: "timeout", status: 0 });
});

test("coming back after a sleep resyncs at once", async () => {
  const p = await page();
  await p.awake();
  p.session.sleep();
  p.clock.sleep(3_600_000);
  p.gate.answers("session", problem(401, "session_expired"));
  p.session.wake();
  await until(() => p.phase() === "ended");
});

test("focus and visibility in one bunch ask once", async () => {
  const p = await page();
  await p.awake();
  await p.clock.advance(3_000);
  for (let i = 0; i < 4; i++) p.session.wake();
  await until(() => p.gate.count("session") === 2);
  await settle();
  expect(p.gate.count("session")).toBe(2);
});

test("paused: time stands still, no heartbeat is sent, resuming goes on", async () => {
  const p = await page({ pause: { max_count: 1, max_seconds: 600 } });
  await p.awake();
  const left = p.session.remaining();
  p.gate.change({ status: "paused", paused_at: 1_700_000_000 });
  await p.actions.pause();
  expect(p.phase()).toBe("paused");
  await p.clock.advance(30_000);
  expect(p.session.remaining()).toBe(left);
  expect(p.gate.count("heartbeat")).toBe(0);
  p.gate.change({ status: "active", expires_at: p.gate.view.expires_at + 30 });
  await p.actions.resume();
  expect(p.phase()).toBe("active");
});

test("a heartbeat refused because of a pause shows the pause", async () => {
  const p = await page();
  await p.awake();
  p.gate.change({ status: "paused", paused_at: 1_700_000_010 });
  p.gate.answers("heartbeat", problem(423, "session_paused"));
  await p.clock.advance(30_000);
  await until(() => p.phase() === "paused");
});

test("ending says where to go", async () => {
  const p = await page();
  await p.awake();
  p.gate.change({ status: "completed" });
  await p.actions.end();
  expect(p.session.state()).toMatchObject({ phase: "ended", reason: "completed", sessionId: "s1" });
});

test("ending what is over already is no error", async () => {
  const p = await page();
  await p.awake();
  p.gate.answers("end", problem(401, "session_expired"));
  await p.actions.end();
  expect(p.session.state()).toMatchObject({ phase: "ended", reason: "expired" });
});

test("a page that goes sends a last sign of life", async () => {
  const p = await page();
  await p.awake();
  p.session.leave();
  expect(p.beacons).toHaveLength(1);
  expect(p.beacons[0]?.url).toMatch(/heartbeat$/);
  expect(p.beacons[0]?.body.type).toBe("application/json");
  expect(JSON.parse((await p.beacons[0]?.body.text()) ?? "")).toMatchObject({ active: false });
});

test("ending in one tab ends the others", async () => {
  const one = await page();
  const two = await page({}, one);
  await one.awake();
  await two.awake();
  one.gate.change({ status: "completed" });
  await one.actions.end();
  one.gate.answers("session", problem(401, "session_completed"));
  await until(() => two.phase() === "ended");
});

test("a forged message between tabs is checked with the gate", async () => {
  const p = await page();
  await p.awake();
  const forger = new BroadcastChannel("sessiongate");
  undo.push(() => forger.close());
  for (const message of [null, "x", {}, { id: "other", version: 9, ended: true }, { id: "s1", version: 1 }])
    forger.postMessage(message);
  forger.postMessage({ id: "s1", version: 1e9, ended: true });
  await until(() => p.gate.count("heartbeat") === 1);
  await settle();
  expect(p.phase()).toBe("active");
});

test("extending sends what was shown, with a key of its own", async () => {
  const p = await page();
  await p.awake();
  await p.actions.extend(p.offer());
  await p.actions.extend(p.offer());
  const bought = p.gate.calls.filter(({ path }) => path === "extend");
  expect(bought.map(({ body }) => body)).toEqual(
    Array(2).fill({ additional_seconds: 600, tokens_to_deduct: 50 }),
  );
  expect(bought.map(({ headers }) => headers["idempotency-key"])).toEqual(["key-1", "key-2"]);
});

test("a lost answer is asked for again under the same key, also by the next click", async () => {
  const p = await page();
  await p.awake();
  p.gate.answers("extend", "drop", "drop", "drop", "drop");
  const first = p.actions.extend(p.offer()).catch((error: unknown) => error);
  const again = p.actions.extend(p.offer()).catch((error: unknown) => error); // a double click
  for (let n = 1; n < 3; n++) {
    await p.answered("extend", n);
    await p.clock.advance(2_000);
  }
  expect(await first).toMatchObject({ code: "network" });
  expect(await again).toMatchObject({ code: "network" });
  const second = p.actions.extend(p.offer());
  await p.answered("extend", 4);
  await p.clock.advance(2_000);
  await second;
  const keys = p.gate.calls.filter(({ path }) => path === "extend").map((c) => c.headers["idempotency-key"]);
  expect(new Set(keys)).toEqual(new Set(["key-1"]));
});

test.each([
  [402, "insufficient_tokens", {}],
  [403, "consent_required", { consent_url: "https://market.example/consent" }],
  [409, "idempotency_conflict", {}],
])("a refused purchase (%d %s) says so and forgets its key", async (status, code, more) => {
  const p = await page();
  await p.awake();
  p.gate.answers("extend", problem(status, code, more));
  await expect(p.actions.extend(p.offer())).rejects.toMatchObject({ code, status, problem: more });
  await p.actions.extend(p.offer());
  const keys = p.gate.calls.filter(({ path }) => path === "extend").map((c) => c.headers["idempotency-key"]);
  expect(keys).toEqual(["key-1", "key-2"]);
});

test("a purchase that the gate has not heard of yet is asked for again, not made again", async () => {
  const p = await page();
  await p.awake();
  p.gate.answers("extend", { body: { session: p.gate.view, server_time_ms: p.clock.wall } });
  const bought = p.actions.extend(p.offer());
  await p.answered("extend", 1);
  await p.clock.advance(2_000);
  await bought;
  const keys = p.gate.calls.filter(({ path }) => path === "extend").map((c) => c.headers["idempotency-key"]);
  expect(keys).toEqual(["key-1", "key-1"]);
  expect(p.session.remaining()).toBeGreaterThan(600_000);
});

test("an end that the gate has not heard of yet is the end", async () => {
  const p = await page();
  await p.awake();
  await p.actions.end();
  expect(p.session.state()).toMatchObject({ phase: "ended", reason: "completed" });
});

test("a cookie that is gone after the deadline means that time ran out", async () => {
  const p = await page({ expires_at: 1_700_000_003 });
  await p.awake();
  p.gate.answers("session", problem(401, "session_missing"));
  await p.clock.advance(3_010);
  await until(() => p.phase() === "ended");
  expect(p.session.state()).toMatchObject({ reason: "expired" });
});

test("a page that is often focused still beats", async () => {
  const p = await page();
  await p.awake();
  for (let i = 0; i < 8; i++) {
    await p.clock.advance(4_000);
    p.session.wake();
  }
  await p.answered("heartbeat", 1);
});

test("a purchase that finds the session over shows the end", async () => {
  const p = await page();
  await p.awake();
  p.gate.answers("extend", problem(401, "session_expired"));
  await p.actions.extend(p.offer());
  expect(p.phase()).toBe("ended");
});
