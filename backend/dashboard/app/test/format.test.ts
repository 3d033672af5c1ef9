import { describe, expect, test } from "vitest";
import { search } from "../src/api";
import { ago, clockLength, count, length, lines, pretty, whole, words } from "../src/format";
import { policySummary, warningsOf, warningsText, webhookState } from "../src/policies";

describe("lengths of time", () => {
  test.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [65, "1 minute 5 seconds"],
    [300, "5 minutes"],
    [3600, "1 hour"],
    [3661, "1 hour 1 minute"],
    [3601, "1 hour"],
    [90_000, "1 day 1 hour"],
    [86_400, "1 day"],
  ])("%i seconds", (seconds, want) => expect(length(seconds)).toBe(want));

  test("as a clock", () => {
    expect([0, 59, 60, 3599, 3600, 36_610].map(clockLength)).toEqual([
      "0:00",
      "0:59",
      "1:00",
      "59:59",
      "1:00:00",
      "10:10:10",
    ]);
  });

  test("from now", () => {
    expect(ago(1000, 3000)).toBe("just now");
    expect(ago(0, 120_000)).toBe("2 minutes ago");
    expect(ago(7_200_000, 0)).toBe("in 2 hours");
  });
});

test("numbers and words", () => {
  expect([count(1, "page"), count(2, "page"), count(0, "entry", "entries")]).toEqual([
    "1 page",
    "2 pages",
    "0 entries",
  ]);
  expect([words("user_ended"), words("session.extended"), words("")]).toEqual([
    "User ended",
    "Session extended",
    "",
  ]);
  expect([
    whole("5", 0, 10),
    whole("", 0, 10),
    whole("5.5", 0, 10),
    whole("11", 0, 10),
    whole("-1", 0, 10),
  ]).toEqual([5, undefined, undefined, undefined, undefined]);
  expect(lines(" a.example, b.example\n\na.example ")).toEqual(["a.example", "b.example"]);
  expect([pretty('{"a":1}'), pretty("<html>")]).toEqual(['{\n  "a": 1\n}', "<html>"]);
});

test("a query holds what is given", () => {
  expect(search({ a: undefined, b: "", c: 0, d: "x y&" })).toBe("?c=0&d=x+y%26");
  expect(search({ a: undefined })).toBe("");
});

describe("policies in plain words", () => {
  const said = (policies: object) => policySummary(policies).join(" ");
  test("settlement", () => {
    expect(said({})).toContain("pays all 60 tokens");
    expect(said({ settlement: "prorated" })).toContain("pays 20 tokens; 40 go back");
  });
  test("pauses", () => {
    expect(said({})).toContain("can't pause");
    expect(said({ pause: { max_count: 0, max_seconds: 60 } })).toContain("can't pause");
    expect(said({ pause: { max_count: 1, max_seconds: 600 } })).toContain(
      "pause once, for 10 minutes in all",
    );
    expect(said({ pause: { max_count: 3, max_seconds: 90 } })).toContain(
      "up to 3 times, for 1 minute 30 seconds in all",
    );
  });
  test("warnings and the wait for a user", () => {
    expect(said({ warning_seconds: [300, 60] })).toContain("warned 5 minutes and 1 minute before the end");
    expect(said({ warning_seconds: [] })).toContain("warned 5 minutes and 1 minute before the end");
    expect(said({ warning_seconds: [30] })).toContain("warned 30 seconds before the end");
    expect(said({})).toContain("waits 15 minutes");
    expect(said({ launch_window_seconds: 60 })).toContain("waits 1 minute for its user");
  });
  test("what a session costs that nobody entered", () => {
    expect(said({})).toContain("charged or released as its sale said");
    expect(said({})).toContain("charged like any other if its clock starts at the sale");
    expect(said({})).toContain("released if its clock starts on entry");
  });
  test("warnings are typed in minutes", () => {
    expect(warningsOf("1, 5 0.5")).toEqual([300, 60, 30]);
    expect(warningsOf("")).toEqual([]);
    expect(warningsOf("soon")).toBeUndefined();
    expect(warningsOf("-1")).toBeUndefined();
    expect(warningsText([300, 30])).toBe("5, 0.5");
  });
});

test("a webhook's state says why", () => {
  expect(webhookState({ enabled: true }).name).toBe("On");
  expect(webhookState({ enabled: true, failing_since: 1 }).name).toBe("Failing");
  expect(webhookState({ enabled: false, disabled_reason: "gone" }).why).toContain("410");
  expect(webhookState({ enabled: false }).why).toBe("It is turned off.");
});
