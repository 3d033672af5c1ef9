import { describe, expect, test } from "vitest";
import { compare, lastDays, lengthOf, problemOf, rangeBefore, rangeOf } from "../src/range";

const noon = Date.parse("2027-03-01T12:00:00Z");

describe("ranges", () => {
  test("the last days end today, in UTC", () => {
    expect(lastDays(1, noon)).toEqual({ from: "2027-03-01", to: "2027-03-01" });
    expect(lastDays(30, noon)).toEqual({ from: "2027-01-31", to: "2027-03-01" });
    expect(lastDays(7, Date.parse("2027-03-01T23:59:59-05:00"))).toEqual({
      from: "2027-02-24",
      to: "2027-03-02",
    });
  });

  test("the range before is as long, and touches it", () => {
    for (const days of [1, 7, 30, 365]) {
      const range = lastDays(days, noon);
      const before = rangeBefore(range);
      expect(lengthOf(range)).toBe(days);
      expect(lengthOf(before)).toBe(days);
      expect(Date.parse(range.from) - Date.parse(before.to)).toBe(86_400_000);
    }
    expect(rangeBefore({ from: "2028-03-01", to: "2028-03-01" })).toEqual({
      from: "2028-02-29",
      to: "2028-02-29",
    });
  });

  test("says what is wrong with a range", () => {
    expect(problemOf({ from: "2027-01-01", to: "2027-01-31" })).toBeUndefined();
    expect(problemOf({ from: "", to: "2027-01-31" })).toMatch(/first and a last/);
    expect(problemOf({ from: "2027-02-30", to: "2027-03-31" })).toMatch(/first and a last/);
    expect(problemOf({ from: "2027-02-02", to: "2027-02-01" })).toMatch(/after the last/);
    expect(problemOf({ from: "2020-01-01", to: "2027-02-01" })).toMatch(/at most 731/);
  });

  test("is read from an address, and falls back to 30 days", () => {
    const of = (text: string) => rangeOf(new URLSearchParams(text), noon);
    expect(of("")).toMatchObject({ preset: "30", to: "2027-03-01" });
    expect(of("range=7")).toMatchObject({ preset: "7", from: "2027-02-23" });
    expect(of("range=9999")).toMatchObject({ preset: "30" });
    expect(of("from=2027-01-01&to=2027-01-02&range=7")).toEqual({
      preset: "own",
      from: "2027-01-01",
      to: "2027-01-02",
    });
    expect(of("from=2027-01-03&to=2027-01-02")).toMatchObject({ preset: "30" });
  });
});

describe("comparison with the range before", () => {
  test.each([
    [0, 0, undefined],
    [5, 0, { direction: "up", text: "none before" }],
    [0, 5, { direction: "down", text: "100% less than before" }],
    [112, 100, { direction: "up", text: "12% more than before" }],
    [50, 100, { direction: "down", text: "50% less than before" }],
    [1001, 1000, { direction: "same", text: "as many as before" }],
    [200, 100, { direction: "up", text: "100% more than before" }],
    [1200, 100, { direction: "up", text: "12 times as many as before" }],
  ])("%i after %i", (now, before, want) => expect(compare(now, before)).toEqual(want));
});
