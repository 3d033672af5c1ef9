// What the page's life rarely asks for: other languages, tabs without channels, servers that fail.
import { afterEach, expect, test, vi } from "vitest";
import { stringsFor } from "../../src/languages";
import { createAnalytics, type PageEvent } from "../../src/package/analytics";
import { withBreaker } from "../../src/package/breaker";
import { themeOf } from "../../src/package/ui";
import { openChannel } from "../../src/rare";
import { createStore } from "../../src/store";
import { en } from "../../src/strings";
import { takeTurn } from "../../src/tabs";
import { en as more } from "../../src/ui/more-words";
import { en as first } from "../../src/ui/words";
import { FakeClock, settle } from "../fake";

afterEach(() => localStorage.clear());

test.each(["de", "fr-CA", "ES", "pt-BR", "ja", "zh-Hant", "ar-EG"])("%s says everything", async (tag) => {
  const strings = await stringsFor(["xx", tag, "en"]);
  expect(strings.language).toBe(tag.toLowerCase().split("-")[0]);
  const words = (await strings.words?.())?.default;
  expect(Object.keys(words ?? {}).sort()).toEqual(Object.keys({ ...first, ...more }).sort());
  expect(Object.keys(words?.ended ?? {})).toEqual(Object.keys(more.ended));
  for (const [name, said] of Object.entries(words ?? {})) {
    const text =
      name === "ended"
        ? ""
        : typeof said === "function"
          ? (said as (...a: unknown[]) => string)(7, "§")
          : said;
    expect(text).not.toBe(undefined);
    if (typeof said === "function") expect(text).toMatch(/7|٧/);
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

test("tabs without channels hear of news by storage events", () => {
  const channel = openChannel("sessiongate");
  const heard = vi.fn();
  channel.onmessage = heard;
  const tell = (key: string, newValue: string | null) =>
    window.dispatchEvent(Object.assign(new Event("storage"), { key, newValue }));
  tell("other", "{}");
  tell("sessiongate-news", null);
  tell("sessiongate-news", "nonsense");
  tell("sessiongate-news", '{"id":"s1"}');
  expect(heard.mock.calls).toEqual([[{ data: { id: "s1" } }]]);
  const set = vi.spyOn(Storage.prototype, "setItem");
  channel.postMessage({ id: "s1", version: 2 });
  expect(set).toHaveBeenCalledWith("sessiongate-news", '{"id":"s1","version":2}');
  set.mockImplementation(() => {
    throw new Error("blocked");
  });
  channel.postMessage({});
  set.mockRestore();
  channel.close();
  tell("sessiongate-news", '{"id":"s1"}');
  expect(heard).toHaveBeenCalledTimes(1);
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
  const turn = (given?: typeof locks) => takeTurn({ store, clock, locks: given }, 30_000, beat);
  await Promise.all([turn(locks), turn(locks)]);
  await turn(); // without locks
  expect(beat).toHaveBeenCalledTimes(1);
  await clock.advance(30_000);
  await turn();
  expect(beat).toHaveBeenCalledTimes(2);
  store.write({ beat: 0 });
  await turn();
  expect(beat).toHaveBeenCalledTimes(3);
  store.write({ beat: 0 });
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

test("events wait for a server under one key, bounded; a refusal drops the batch", async () => {
  const clock = new FakeClock();
  const sent: [number, string][] = [];
  let answer: () => Promise<void> = async () => {
    throw Object.assign(new Error("lost"), { status: 0 });
  };
  let keys = 0;
  const left: PageEvent[][] = [];
  const analytics = createAnalytics({
    clock,
    random: () => 0.5,
    newKey: () => `key-${++keys}`,
    send: (events, key) => {
      sent.push([events.length, key]);
      return answer();
    },
    farewell: (events) => left.push(events),
  });
  const add = (n: number) => {
    for (let i = 0; i < n; i++) analytics.add({ name: "e", at: i });
  };
  add(1);
  await clock.advance(10_000);
  await settle();
  add(700);
  await clock.advance(60_000);
  expect(new Set(sent.map(([, key]) => key))).toEqual(new Set(["key-1"]));
  answer = async () => {};
  for (let i = 0; i < 20; i++) await clock.advance(10_000);
  expect(sent.filter(([n]) => n === 50)).toHaveLength(10); // 500 kept of 700
  answer = async () => {
    throw Object.assign(new Error("no"), { status: 422 });
  };
  add(1);
  await clock.advance(10_000);
  const refused = sent.length;
  await clock.advance(100_000);
  expect(sent).toHaveLength(refused);
  add(3);
  analytics.leave();
  expect(left.map((events) => events.length)).toEqual([3]);
});

test("styles are values and nothing more", () => {
  expect(themeOf()).toBe("");
  expect(themeOf({ primaryColor: "#c00", textColor: "red;} *{display:none", borderRadius: "" })).toBe(
    ":host{--sessiongate-primary:#c00!important;}",
  );
});
