import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { warningThresholds } from "../src/warnings";

interface Case {
  configured: number[] | null;
  total: number;
  want: number[];
}

// The session service sends `session.warning` by the same rule, and is held to the same file.
const cases = JSON.parse(
  readFileSync(new URL("../../backend/session/testdata/warnings.json", import.meta.url), "utf8"),
) as Case[];

describe("the page warns when the service does", () => {
  test.each(cases)("$configured in a session of $total s", ({ configured, total, want }) => {
    expect(warningThresholds(configured ?? undefined, total)).toEqual(want);
  });
});
