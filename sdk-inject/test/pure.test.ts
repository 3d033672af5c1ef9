import { afterEach, describe, expect, test, vi } from "vitest";
import { gateBase, retryAfterMs } from "../src/api";
import { heartbeatDelay, retryDelay } from "../src/backoff";
import { GateError } from "../src/errors";
import { formatClock, returnAddress } from "../src/format";
import ar from "../src/languages/words-ar";
import de from "../src/languages/words-de";
import es from "../src/languages/words-es";
import fr from "../src/languages/words-fr";
import ja from "../src/languages/words-ja";
import pt from "../src/languages/words-pt";
import zh from "../src/languages/words-zh";
import type { SessionView } from "../src/protocol";
import { isNewer, remainingMs, stateOf, stateOfRefusal } from "../src/state";
import { createStore } from "../src/store";
import { shareHeartbeat } from "../src/tabs";
import { en as enActions } from "../src/ui/actions-words";
import { en } from "../src/ui/words";
import { formatSpan, formatUnit } from "../src/units";
import { reachedThreshold, warningThresholds } from "../src/warnings";
import { FakeClock } from "./fake";

const view: SessionView = {
  id: "s1",
  provider_id: "p",
  status: "active",
  version: 3,
  expires_at: 1000,
  duration_limit_seconds: 600,
  tokens_allocated: 1,
  return_url: "https://m.example/r",
};

describe("warnings", () => {
  test.each([
    [undefined, 3600, [300, 60]],
    [[], 3600, [300, 60]],
    [undefined, 600, [300, 60]],
    [undefined, 599, [60]],
    [undefined, 60, [20]],
    [undefined, 30, [20]],
    [undefined, 29, []],
    [undefined, 8, []],
    [[10, 120, 30], 3600, [120, 30, 10]],
    [[0, -5, 60], 3600, [60]],
  ])("thresholds of %j in a session of %d s", (configured, total, want) => {
    expect(warningThresholds(configured, total)).toEqual(want);
  });

  test.each([
    [301, undefined],
    [300, 300],
    [61, 300],
    [60, 60],
    [0, 60],
  ])("at %d s the threshold reached is %s", (left, want) => {
    expect(reachedThreshold([300, 60], left)).toBe(want);
  });
});

describe("format", () => {
  test.each([
    [0, "0:00"],
    [-5, "0:00"],
    [1, "0:01"],
    [59_001, "1:00"],
    [582_000, "9:42"],
    [3_600_000, "1:00:00"],
    [3_729_000, "1:02:09"],
  ])("%d ms is %s", (ms, want) => {
    expect(formatClock(ms)).toBe(want);
  });

  test.each([
    [600, "10 min"],
    [45, "45 sec"],
    [5400, "90 min"],
    [90, "90 sec"],
  ])("%d s is %s", (seconds, want) => {
    expect(formatUnit(seconds, en.unit, true)).toBe(want);
  });

  test("long spans have plurals of their language", () => {
    expect(formatSpan(61, en.unit)).toBe("1 minute 1 second");
    expect(formatSpan(5400, de.unit)).toBe("1 Stunde 30 Minuten");
    expect(formatSpan(0, en.unit)).toBe("0 seconds");
  });

  test.each([
    ["https://m.example/r", "https://m.example/r?session_id=a%2Fb"],
    ["https://m.example/r?x=1+2", "https://m.example/r?x=1+2&session_id=a%2Fb"],
    ["https://m.example/r#top", "https://m.example/r?session_id=a%2Fb#top"],
    ["https://m.example/r?session_id=1", "https://m.example/r?session_id=1"],
    ["javascript:alert(1)", ""],
    ["/relative", ""],
    ["", ""],
    [undefined, ""],
  ])("the return address of %s", (url, want) => {
    expect(returnAddress(url, "a/b")).toBe(want);
  });
});

describe("numbers and times are written as Intl writes them", () => {
  const numbers = [...Array(131).keys(), 200, 999, 1000, 1234, 9999, 10_000, 1_234_567];
  // Which kind of space stands in a number or a time differs between versions of Intl's tables.
  const plain = (text: string) => text.replace(/\s/g, " ");

  test.each(Object.entries({ en: { ...en, ...enActions }, de, fr, es, pt, ja, zh, ar }))(
    "%s",
    (language, words) => {
      for (const n of numbers) {
        for (const unit of ["hour", "minute", "second"] as const)
          for (const unitDisplay of ["long", "short"] as const) {
            if (unit === "hour" && unitDisplay === "short") continue;
            const intl = n.toLocaleString(language, { style: "unit", unit, unitDisplay });
            expect(plain(words.unit(n, unit, unitDisplay === "short"))).toBe(plain(intl));
          }
        const price = plain(words.price(n));
        // Arabic has words for one and two, every language for none.
        if (/\d/.test(price))
          expect(price.match(/\d[\d.,]*(?: \d+)*/)?.[0]).toBe(plain(n.toLocaleString(language)));
        else expect(n).toBeLessThan(3);
      }
      for (let hour = 0; hour < 24; hour++) {
        const end = new Date(2026, 1, 3, hour, 5);
        expect(plain(words.endsAt(end))).toContain(
          plain(end.toLocaleTimeString(language, { timeStyle: "short" })),
        );
      }
    },
  );
});

describe("backoff", () => {
  test("doubles to a ceiling, half of it random", () => {
    expect([1, 2, 3, 20, 5000].map((n) => retryDelay(n, 1))).toEqual([2000, 4000, 8000, 60_000, 60_000]);
    expect([1, 2, 3, 20].map((n) => retryDelay(n, 0))).toEqual([1000, 2000, 4000, 30_000]);
  });

  test("heartbeats vary by a tenth either way", () => {
    expect([0, 0.5, 1].map((r) => heartbeatDelay(30_000, r))).toEqual([27_000, 30_000, 33_000]);
  });
});

describe("state", () => {
  test("an older answer never replaces a newer one, another session always does", () => {
    expect(isNewer(undefined, view)).toBe(true);
    expect(isNewer(view, { ...view, version: 2 })).toBe(false);
    expect(isNewer(view, { ...view, version: 3 })).toBe(true);
    expect(isNewer(view, { ...view, id: "s2", version: 1 })).toBe(true);
  });

  test.each(["completed", "expired", "revoked", "canceled"] as const)("%s is the end", (status) => {
    expect(stateOf({ ...view, status })).toEqual({
      phase: "ended",
      reason: status,
      returnUrl: view.return_url,
      sessionId: "s1",
    });
  });

  test("a session that nobody launched shows nothing", () => {
    expect(stateOf({ ...view, status: "pending" }).phase).toBe("absent");
  });

  test("a refusal ends the session with its own return address, or the known one", () => {
    const refused = (code: string, more = {}) => stateOfRefusal(new GateError(code, more, 401), view);
    expect(refused("session_revoked", { return_url: "https://x.example/" })).toMatchObject({
      reason: "revoked",
      returnUrl: "https://x.example/",
    });
    expect(refused("session_expired")).toMatchObject({ returnUrl: view.return_url, sessionId: "s1" });
    expect(refused("session_missing")).toMatchObject({ phase: "ended", reason: "gone" });
    expect(refused("session_moved")).toMatchObject({ phase: "ended", reason: "gone" });
    expect(refused("network")).toBeUndefined();
    expect(refused("rate_limited")).toBeUndefined();
    expect(refused("session_paused")).toBeUndefined();
  });

  test("a page that never had a session shows nothing", () => {
    expect(stateOfRefusal(new GateError("session_missing", {}, 401), undefined)).toEqual({ phase: "absent" });
  });

  test("a paused session's time stands still", () => {
    expect(remainingMs(view, 900_000)).toBe(100_000);
    expect(remainingMs(view, 1_100_000)).toBe(0);
    expect(remainingMs({ ...view, status: "paused", paused_at: 940 }, 5_000_000)).toBe(60_000);
  });
});

describe("store", () => {
  test("remembers in memory where storage is blocked", () => {
    const store = createStore(() => {
      throw new Error("blocked");
    });
    store.write({ place: "0 0 auto auto" });
    store.setNotes("s1", { warned: 60 });
    expect(store.read()).toEqual({ place: "0 0 auto auto", sessions: { s1: { warned: 60 } } });
  });

  test.each(["nonsense", "null", '"text"', "7"])("survives %s left by someone else", (left) => {
    const storage = { getItem: () => left, setItem: () => undefined } as unknown as Storage;
    const store = createStore(() => storage);
    store.write({ small: true });
    expect(store.read().small).toBe(true);
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 0, 1);
  test.each([
    ["60", 60_000],
    ["2592000", 3_600_000], // 30 days: more than a timer can wait
    ["1e999", 3_600_000],
    [new Date(now + 90_000).toUTCString(), 90_000],
    [new Date(now + 365 * 86_400_000).toUTCString(), 3_600_000],
    ["0.001", 1_000],
    ["0", 0],
    ["-5", 0],
    ["soon", 0],
    ["", 0],
    [null, 0],
    [new Date(now - 90_000).toUTCString(), 0],
  ])("%s is %d ms", (header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });
});

describe("heartbeats of several tabs", () => {
  const clock = new FakeClock();
  const blocked = { request: () => Promise.reject(new DOMException("blocked", "SecurityError")) };

  test("locks that are refused stop none", async () => {
    const store = createStore(() => ({ getItem: () => null }) as unknown as Storage);
    let beats = 0;
    const beat = async () => void beats++;
    await shareHeartbeat({ store, clock, locks: blocked }, 30_000, beat, "s1");
    expect(beats).toBe(1);
  });

  test("a failure of the heartbeat itself is told, and not tried twice", async () => {
    const store = createStore(() => ({ getItem: () => null }) as unknown as Storage);
    const locks = { request: async (_: string, __: object, run: (lock: unknown) => unknown) => run({}) };
    let beats = 0;
    const beat = () => {
      beats++;
      return Promise.reject(new Error("lost"));
    };
    await expect(shareHeartbeat({ store, clock, locks }, 30_000, beat, "s1")).rejects.toThrow("lost");
    expect(beats).toBe(1);
  });

  test("sessions have notes of their own, and never more than a few", () => {
    let kept = "";
    const storage = { getItem: () => kept || null, setItem: (_: string, value: string) => (kept = value) };
    const store = createStore(() => storage as unknown as Storage);
    store.write({ place: "0 0 auto auto" });
    for (let i = 0; i < 100; i++) store.setNotes(`session-${i}`, { beat: i, warned: 60 });
    store.setNotes("session-99", { deadline: 5 });
    expect(store.notes("session-99")).toEqual({ beat: 99, warned: 60, deadline: 5 });
    expect(store.notes("other")).toEqual({});
    expect(kept.length).toBeLessThan(1_000);
    expect(store.read().place).toBe("0 0 auto auto");
  });
});

describe("the gate's address", () => {
  afterEach(() => vi.unstubAllGlobals());

  test.each([
    ["https://app.example", "https://app.example", "https://app.example/.session-gate/"],
    // A page may overwrite the variable.
    ["https://app.example:8443", "theirs", "https://app.example:8443/.session-gate/"],
    // A srcdoc frame.
    ["null", "https://app.example", "https://app.example/.session-gate/"],
    ["https://null.example", "https://other.example", "https://null.example/.session-gate/"],
  ])("location %s, self %s", (location, self, want) => {
    vi.stubGlobal("location", { origin: location });
    vi.stubGlobal("self", { origin: self });
    expect(gateBase()).toBe(want);
  });
});
