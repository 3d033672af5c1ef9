import { expect, test, vi } from "vitest";
import { failure, type SDKErrorCode } from "../../src/package/errors";
import {
  AuthError,
  decodeToken,
  extractClaim,
  isExpired,
  NetworkError,
  SDKError,
  ValidationError,
} from "../../src/package/index";
import { AuthError as NextAuthError } from "../../src/package/next";
import { NetworkError as ReactNetworkError } from "../../src/package/react";
import { SDKError as ServerError } from "../../src/package/server";
import { ValidationError as VueValidationError } from "../../src/package/vue";
import { token } from "./backend";

const kinds = { NetworkError, ValidationError, AuthError };
const codes: Record<keyof typeof kinds | "SDKError", SDKErrorCode[]> = {
  NetworkError: [
    "NETWORK",
    "TIMEOUT",
    "CIRCUIT_OPEN",
    "INVALID_ANSWER",
    "HTTP_404",
    "HTTP_502",
    "LOAD_FAILED",
    "UNAVAILABLE",
    "BACKEND_UNAVAILABLE",
    "ORIGIN_UNAVAILABLE",
  ],
  ValidationError: [
    "INVALID_TOKEN",
    "MALFORMED_TOKEN",
    "DECODE_ERROR",
    "INVALID_JWT",
    "INVALID_CONFIG",
    "INVALID_REQUEST",
    "TOO_LARGE",
  ],
  AuthError: [
    "MISSING_TOKEN",
    "TOKEN_INVALID",
    "TOKEN_MISMATCH",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "WRONG_PROVIDER",
    "CROSS_SITE",
    "ANOTHER_SESSION",
    "SESSION_MISSING",
    "SESSION_INVALID",
    "SESSION_MOVED",
    "LAUNCH_SPENT",
    "LAUNCH_INVALID",
    "LAUNCH_EXPIRED",
    "INVALID_SIGNATURE",
  ],
  SDKError: [
    "NOT_INITIALIZED",
    "DESTROYED",
    "UNEXPECTED",
    "SESSION_EXPIRED",
    "SESSION_COMPLETED",
    "SESSION_PAUSED",
    "SESSION_REVOKED",
    "SESSION_CANCELED",
    "PAUSE_NOT_ALLOWED",
    "CONSENT_REQUIRED",
    "INSUFFICIENT_TOKENS",
    "RATE_LIMITED",
    "INTERNAL",
  ],
};

for (const [name, own] of Object.entries(codes))
  test.each(own)(`%s is of the class ${name} and of no other`, (code) => {
    const error = failure("why", code, 409, "https://market.example/agree");
    expect(error).toMatchObject({ name: "SDKError", message: "why", code, statusCode: 409 });
    expect([error instanceof SDKError, error instanceof Error]).toEqual([true, true]);
    for (const [kind, Kind] of Object.entries(kinds))
      expect([kind, error instanceof Kind]).toEqual([kind, kind === name]);
  });

test("each entry of the package has the same classes", () => {
  expect(failure("", "NETWORK")).toBeInstanceOf(ReactNetworkError);
  expect(failure("", "INVALID_JWT")).toBeInstanceOf(VueValidationError);
  expect(failure("", "FORBIDDEN")).toBeInstanceOf(NextAuthError);
  expect(failure("", "INTERNAL")).toBeInstanceOf(ServerError);
});

test("a second copy of the package recognizes the errors of the first, and the first those of the second", async () => {
  vi.resetModules();
  const copy = await import("../../src/package/errors");
  expect(copy.NetworkError).not.toBe(NetworkError);
  expect(copy.failure("", "TIMEOUT")).toBeInstanceOf(NetworkError);
  expect(failure("", "TIMEOUT")).toBeInstanceOf(copy.NetworkError);
  expect(failure("", "TIMEOUT")).toBeInstanceOf(copy.SDKError);
  expect(failure("", "TIMEOUT")).not.toBeInstanceOf(copy.AuthError);
});

test("a class that an app derives has its own instances only", () => {
  class Mine extends NetworkError {}
  const mine = new Mine("", "NETWORK");
  expect([mine instanceof Mine, mine instanceof NetworkError, mine instanceof AuthError]).toEqual([
    true,
    true,
    false,
  ]);
  expect(failure("", "NETWORK") instanceof Mine).toBe(false);
});

test.each([null, undefined, 1, "NETWORK", {}, new Error("theirs"), { code: "NETWORK" }])(
  "%s is no error of the SDK",
  (value) => {
    for (const Kind of [SDKError, ...Object.values(kinds)]) expect(value instanceof Kind).toBe(false);
  },
);

test("claims are read without verifying the token, as UTF-8", () => {
  const jwt = token({ name: "Zoë 日本 🎟", nested: { a: [1] }, nothing: null });
  expect(extractClaim(jwt, "name")).toBe("Zoë 日本 🎟");
  expect(extractClaim(jwt, "nested")).toEqual({ a: [1] });
  expect(extractClaim(jwt, "nothing")).toBeNull();
  expect(extractClaim(jwt, "jti")).toBe("s-1");
  for (const absent of ["missing", "constructor", "toString", "__proto__"])
    expect(extractClaim(jwt, absent)).toBeUndefined();
});

test.each([
  ["in the future", 2_000, 1_999_999, false],
  ["now", 2_000, 2_000_000, true],
  ["in the past", 2_000, 2_000_001, true],
  ["with a fraction", 2_000.5, 2_000_499, false],
  ["missing", undefined, 0, false],
  ["zero", 0, 1, true],
  ["negative", -5, 0, true],
  ["huge", 1e300, Date.now(), false],
  ["the largest", Number.MAX_VALUE, Date.now(), false],
])("an exp that is %s", (_, exp, now, want) => {
  expect(isExpired(token({ exp }), now)).toBe(want);
});

test("by default a token expires by this machine's clock", () => {
  const now = Date.now() / 1000;
  expect([isExpired(token({ exp: now - 60 })), isExpired(token({ exp: now + 600 }))]).toEqual([true, false]);
});

test.each(["2000", null, true, {}, []])("an exp that is %j is refused", (exp) => {
  expect(() => isExpired(token({ exp }))).toThrow(ValidationError);
  expect(() => isExpired(token({ exp }))).toThrow(/exp claim/);
});

test.each([
  ["", "INVALID_TOKEN"],
  [undefined as never, "INVALID_TOKEN"],
  [7 as never, "INVALID_TOKEN"],
  ["a.b", "MALFORMED_TOKEN"],
  ["a.b.c.d", "MALFORMED_TOKEN"],
  ["a.%%%.c", "DECODE_ERROR"],
  [`a.${btoa("\xff\xfe")}.c`, "DECODE_ERROR"],
  [`a.${btoa("{")}.c`, "DECODE_ERROR"],
  [`a.${btoa("null")}.c`, "INVALID_JWT"],
  [`a.${btoa('"text"')}.c`, "INVALID_JWT"],
  [`a.${btoa("{}")}.c`, "INVALID_JWT"],
])("the malformed token %j is refused by every reader, with what to do", (malformed, code) => {
  for (const read of [
    () => decodeToken(malformed),
    () => extractClaim(malformed, "sub"),
    () => isExpired(malformed),
  ]) {
    expect(read).toThrow(ValidationError);
    expect(read).toThrow(expect.objectContaining({ code, message: expect.stringContaining("Pass the ") }));
    // The message may reach a log.
    if (malformed) expect(read).not.toThrow(String(malformed));
  }
});
