// What the page's life rarely asks for: other languages, tabs without channels, servers that fail.
import { afterEach, expect, test, vi } from "vitest";
import { stringsFor } from "../../src/languages";
import { createAnalytics } from "../../src/package/analytics";
import { withBreaker } from "../../src/package/breaker";
import { createEventQueue } from "../../src/package/event-queue";
import { themeOf } from "../../src/package/ui";
import { createStore } from "../../src/store";
import { en } from "../../src/strings";
import { shareHeartbeat } from "../../src/tabs";
import { en as actionsWords } from "../../src/ui/actions-words";
import { en as first } from "../../src/ui/words";
import { FakeClock, settle } from "../fake";

afterEach(() => localStorage.clear());

test.each(["de", "fr-CA", "ES", "pt-BR", "ja", "zh-Hant", "ar-EG"])("%s says everything", async (tag) => {
  const strings = await stringsFor(["xx", tag, "en"]);
  expect(strings.language).toBe(tag.toLowerCase().split("-")[0]);
  const words = (await strings.words?.())?.default;
  expect(Object.keys(words ?? {}).sort()).toEqual(Object.keys({ ...first, ...actionsWords }).sort());
  expect(Object.keys(words?.ended ?? {})).toEqual(Object.keys(actionsWords.ended));
  const asked: Record<string, unknown[]> = { unit: [7, "minute"], endsAt: [new Date(2026, 1, 3, 7, 7)] };
  for (const [name, said] of Object.entries(words ?? {})) {
    if (typeof said !== "function") {
      expect(said).not.toBe("");
      continue;
    }
    const text = (said as (...a: unknown[]) => string)(...(asked[name] ?? [7, "§"]));
    expect(text).toMatch(/7/);
    if (name === "redirecting") expect(text).toContain("§");
  }
});

test("plural and number forms are the language's own", async () => {
  const price = async (tag: string, n: number) =>
    (await (await stringsFor([tag])).words?.())?.default.price(n);
  expect(await price("de", 12_500)).toBe("für 12.500 Token");
  expect(await price("fr", 0)).toBe("gratuit");
  expect([await price("fr", 1), await price("fr", 2)]).toEqual(["pour 1 jeton", "pour 2 jetons"]);
  expect(await price("ar", 2)).toBe("مقابل رمزين");
  expect(await price("ar", 3)).toContain("رموز");
  expect([first.price(1), first.price(2), first.price(0)]).toEqual([
    "for 1 token",
    "for 2 tokens",
    "for free",
  ]);
});

test("unknown languages get English", async () => {
  expect(await stringsFor(["xx", "constructor", ""])).toBe(en);
});

test("many tabs, one beat in an interval; the next when that tab is gone", async () => {
  const clock = new FakeClock();
  const store = createStore(() => localStorage);
  let held = false;
  const locks = {
    async request(_: string, options: object, run: (lock: unknown) => Promise<void> | undefined) {
      expect(options).toEqual({ ifAvailable: true });
      if (held) return run(null);
      held = true;
      await run({});
      held = false;
    },
  };
  const beat = vi.fn(async () => {});
  const turn = (given?: typeof locks) => shareHeartbeat({ store, clock, locks: given }, 30_000, beat);
  await Promise.all([turn(locks), turn(locks)]);
  await turn(); // without locks
  expect(beat).toHaveBeenCalledTimes(1);
  await clock.advance(30_000);
  await turn();
  expect(beat).toHaveBeenCalledTimes(2);
  store.setNotes("", { beat: 0 });
  await turn();
  expect(beat).toHaveBeenCalledTimes(3);
  store.setNotes("", { beat: 0 });
  beat.mockRejectedValueOnce(new Error("lost"));
  await expect(turn()).rejects.toThrow("lost");
  await turn();
  expect(beat).toHaveBeenCalledTimes(5);
});

test("a server that fails again and again is left alone, then tried once", async () => {
  const clock = new FakeClock();
  const answers = vi.fn(async () => new Response("", { status: 503 }));
  const call = withBreaker(answers, clock);
  for (let i = 0; i < 5; i++) await call("/");
  await expect(call("/")).rejects.toMatchObject({ code: "circuit_open" });
  expect(answers).toHaveBeenCalledTimes(5);
  await clock.advance(30_000);
  answers.mockRejectedValueOnce(new TypeError("down"));
  await expect(call("/")).rejects.toThrow("down");
  await expect(call("/")).rejects.toMatchObject({ code: "circuit_open" });
  await clock.advance(30_000);
  answers.mockResolvedValue(new Response("", { status: 401 }));
  await call("/");
  await call("/");
  expect(answers).toHaveBeenCalledTimes(8);
  answers.mockRejectedValue(Object.assign(new Error("given up"), { name: "AbortError" }));
  for (let i = 0; i < 7; i++) await expect(call("/")).rejects.toThrow("given up");
});

/** Analytics whose server answers as told, over the page's own storage. */
function analyticsOf(session = "s1") {
  const clock = new FakeClock();
  const sent: { key: string; n: number; last: boolean }[] = [];
  const it = {
    clock,
    sent,
    /** What the server says; 0: nothing. */
    status: 202,
    analytics: undefined as unknown as ReturnType<typeof createAnalytics>,
    add(n: number) {
      for (let i = 0; i < n; i++) it.analytics.add({ name: "e", at: clock.now() });
    },
  };
  it.analytics = createAnalytics({
    clock,
    random: () => 0.5,
    newKey: () => `key-${keys++}`,
    eventQueue: createEventQueue(() => localStorage, session, clock.now),
    async send({ key, events }, last) {
      sent.push({ key, n: events.length, last });
      if (it.status !== 202) throw Object.assign(new Error("no"), { status: it.status });
    },
  });
  return it;
}
let keys = 0;

test("events wait for a server under one key, bounded; a refusal drops the batch", async () => {
  const it = analyticsOf();
  it.status = 0;
  it.add(1);
  await it.clock.advance(10_000);
  it.add(700);
  await it.clock.advance(60_000);
  const [first] = it.sent;
  expect(it.sent.length).toBeGreaterThan(3);
  // The batch that is asked about again and again is the same; the oldest make room.
  expect(it.sent.filter(({ key }) => key === first?.key).length).toBeGreaterThan(1);
  it.status = 202;
  it.sent.length = 0;
  for (let i = 0; i < 20; i++) await it.clock.advance(10_000);
  expect(it.sent.map(({ n }) => n)).toEqual(Array(10).fill(50)); // 500 kept of 701
  it.status = 422;
  it.add(1);
  await it.clock.advance(10_000);
  const refused = it.sent.length;
  await it.clock.advance(100_000);
  expect(it.sent).toHaveLength(refused);
  expect(localStorage.getItem("sessiongate-events")).toBeNull();
});

test("what did not arrive goes out from the next page, under the key it had", async () => {
  const before = analyticsOf();
  before.status = 0;
  before.add(51);
  await settle();
  before.analytics.leave();
  await settle();
  expect(before.sent.map(({ n, last }) => [n, last])).toEqual([
    [50, false],
    [50, true],
    [1, true],
  ]);
  const after = analyticsOf();
  after.add(1);
  await after.clock.advance(20_000);
  await after.clock.advance(20_000);
  expect(after.sent.map(({ key, n }) => [key, n])).toEqual([
    [before.sent[0]?.key, 50],
    [before.sent[2]?.key, 1],
    [expect.any(String), 1],
  ]);
  expect(localStorage.getItem("sessiongate-events")).toBeNull();
});

test("a sendLastHeartbeat that arrived is not said again by the page that came back", async () => {
  const it = analyticsOf();
  it.add(2);
  it.analytics.leave();
  await settle();
  expect(localStorage.getItem("sessiongate-events")).toBeNull();
  it.add(1);
  await it.clock.advance(10_000);
  expect(it.sent.map(({ n }) => n)).toEqual([2, 1]);
});

test("events of another session, too old, or not ours are not sent", async () => {
  const stale = analyticsOf();
  stale.status = 0;
  stale.add(1);
  stale.analytics.leave();
  await settle();
  expect(localStorage.getItem("sessiongate-events")).toContain("key-");
  const other = analyticsOf("s2");
  await other.clock.advance(60_000);
  expect(other.sent).toEqual([]);
  for (const kept of [
    "{",
    '{"session":"s1"}',
    '{"session":"s1","batches":[{"key":"k","events":[{"at":1}]}]}',
  ]) {
    localStorage.setItem("sessiongate-events", kept);
    const it = analyticsOf();
    await it.clock.advance(60_000);
    expect(it.sent).toEqual([]);
  }
});

test("two tabs that keep their events keep both", async () => {
  const [a, b] = [analyticsOf(), analyticsOf()];
  for (const it of [a, b]) {
    it.status = 0;
    it.add(1);
    it.analytics.leave();
    await settle();
  }
  const next = analyticsOf();
  await next.clock.advance(30_000);
  expect(next.sent.map(({ key }) => key)).toEqual([a.sent[0]?.key, b.sent[0]?.key]);
});

test("where storage is blocked, events live as long as their page", async () => {
  const eventQueue = createEventQueue(
    () => {
      throw new DOMException("blocked", "SecurityError");
    },
    "s1",
    Date.now,
  );
  eventQueue.put([{ key: "k", events: [] }]);
  expect(eventQueue.take()).toEqual([]);
});

test("styles are values and nothing more", () => {
  expect(themeOf()).toBe("");
  expect(themeOf({ primaryColor: "#c00", textColor: "red;} *{display:none", borderRadius: "" })).toBe(
    ":host{--sessiongate-primary:#c00!important;}",
  );
});
