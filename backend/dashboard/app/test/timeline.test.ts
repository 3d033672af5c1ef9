import { describe, expect, test } from "vitest";
import { addressesOf, gradeOf, outcomeOf, titleOf } from "../src/checks";
import { describeEntry, kindsOf } from "../src/timeline";
import type { Provider, TimelineEntry } from "../src/types";

const entry = (
  kind: TimelineEntry["kind"],
  name: string,
  detail: Record<string, unknown> = {},
): TimelineEntry => ({
  at_ms: 1000,
  kind,
  name,
  detail,
});

describe("a timeline in plain words", () => {
  test.each([
    [entry("session", "redeemed"), "Entered by its user", ""],
    [entry("session", "relaunched"), "New link made: the old browser is out", ""],
    [
      entry("session", "ended", { status: "expired", reason: "deadline" }),
      "Cut off: its time ran out",
      "Deadline",
    ],
    [entry("session", "ended", { status: "completed", reason: "user_ended" }), "Ended", "User ended"],
    [entry("session", "thawed"), "Thawed", ""],
    [
      entry("session", "admitted_offline", { outcome: "after_end", served_ms: 4200, admitted_at_ms: 1 }),
      "Admitted by an edge that could not reach the service",
      "served for 5 seconds · the session was over, so nobody paid for it",
    ],
    [
      entry("extension", "bought", { by: "user", seconds: 600, tokens: 2 }),
      "More time bought",
      "10 minutes · for 2 tokens",
    ],
    [
      entry("ledger", "hold", { amount: 5, debit: "user:ada", credit: "hold" }),
      "Tokens set aside",
      "5 tokens · user:ada → hold",
    ],
    [
      entry("heartbeats", "heartbeats", { count: 12, active: 9 }),
      "Heartbeats",
      "12 so far · 9 with the user at work",
    ],
    [entry("page", "tab.hidden", { a: 1 }), "Page: Tab hidden", '{"a":1}'],
    [entry("page", "tab.hidden"), "Page: Tab hidden", ""],
  ])("%o", (given, title, text) => expect(describeEntry(given)).toMatchObject({ at: 1000, title, text }));

  test("a delivery says how it went and where to read it", () => {
    const detail = { webhook_id: "wh_1", delivery_id: "d1", status: "failed", attempts: 3, last_status: 500 };
    expect(describeEntry(entry("delivery", "session.ended", detail))).toMatchObject({
      title: "Webhook session.ended",
      text: "Failed · 3 attempts · HTTP 500",
      tone: "danger",
      delivery: { webhook: "wh_1", id: "d1" },
    });
    expect(
      describeEntry(entry("delivery", "session.ended", { status: "pending", last_status: 0 })).text,
    ).toBe("Pending");
  });

  test("kinds to choose from, in order and once", () => {
    expect(kindsOf([entry("session", "a"), entry("ledger", "b"), entry("session", "c")])).toEqual([
      "session",
      "ledger",
    ]);
  });
});

describe("checks", () => {
  test("names and grades", () => {
    expect(titleOf({ name: "origin_lock", grade: "ok", found: "", remedy: "" })).toBe("Origin lock");
    expect(titleOf({ name: "tls", grade: "ok", found: "", remedy: "" })).toBe("TLS certificate");
    expect(titleOf({ name: "new", grade: "ok", found: "" } as never)).toBe("new");
    expect(
      ["ok", "warning", "failed", "unchecked", "not_checked"].map(
        (grade) => gradeOf({ grade, found: "" } as never).name,
      ),
    ).toEqual(["OK", "Warning", "Failed", "Not checked", "Not checked"]);
  });

  test("what became of a page", () => {
    const page = (outcome: string, injected: boolean) => outcomeOf({ outcome, injected } as never);
    expect([page("prefix", true), page("not_html", false), page("other", true)]).toEqual([
      "Clock added",
      "No clock: not html",
      "Clock added",
    ]);
  });

  test("addresses: the start page first, and no host twice", () => {
    const of = (domains: string[], app_url = "") => addressesOf({ domains, app_url } as unknown as Provider);
    expect(of([])).toEqual([]);
    expect(of(["a.example", "b.example"])).toEqual(["https://a.example/", "https://b.example/"]);
    expect(of(["127.0.0.1", "b.example"], "http://127.0.0.1:8082/")).toEqual([
      "http://127.0.0.1:8082/",
      "https://b.example/",
    ]);
    expect(of(["::1"])).toEqual(["https://[::1]/"]);
  });
});
