import { failure } from "./errors";

/**
 * The claims of a launch token. They are decoded but not verified: only the server verifies them.
 *
 * @public
 */
export interface TokenClaims {
  /** The session id. */
  jti: string;
  /** The user id. */
  sub?: string;
  /** The provider of the app. */
  provider_id?: string;
  /** Unix seconds. */
  iat?: number;
  /** Unix seconds. */
  exp?: number;
  /** The tokens held for the session. */
  tokens_allocated?: number;
  /** The page to which the user returns at the end. */
  return_url?: string;
  /** Other claims. */
  [claim: string]: unknown;
}

/**
 * Decodes the payload of a JWT without verifying it.
 *
 * @throws {@link ValidationError} `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR` or `INVALID_JWT` (no `jti`)
 * @public
 */
export function decodeToken(token: string): TokenClaims {
  if (typeof token !== "string" || !token)
    throw failure("The token is empty. Pass the launch token as text.", "INVALID_TOKEN");
  const parts = token.split(".");
  if (parts.length !== 3)
    throw failure(
      "Not a JWT: expected three parts separated by dots. Pass the whole token, unchanged.",
      "MALFORMED_TOKEN",
    );
  let claims: unknown;
  try {
    claims = decodePart(parts[1]);
  } catch {
    throw failure(
      "The payload of the token is not base64url-encoded JSON. Pass the whole token, unchanged.",
      "DECODE_ERROR",
    );
  }
  const jti = (claims as Partial<TokenClaims> | null)?.jti;
  if (typeof jti !== "string" || !jti)
    throw failure(
      "The token has no jti claim, so it is not of a session. Pass the launch token.",
      "INVALID_JWT",
    );
  return claims as TokenClaims;
}

/**
 * Returns a claim of a JWT without verifying the token. Undefined if the token does not have it.
 *
 * @throws {@link ValidationError} as {@link decodeToken}
 * @public
 */
export function extractClaim<K extends string>(token: string, name: K): TokenClaims[K] | undefined {
  const claims = decodeToken(token);
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/**
 * Whether the `exp` of a JWT has passed by this machine's clock, without verifying the token. False for
 * a token without `exp`. Extensions and pauses move the end of a session, but not the `exp` of its
 * token: {@link MarketplaceSDK.getRemainingTime} has the time that is left.
 *
 * @param now - Unix milliseconds. Default: now
 * @throws {@link ValidationError} as {@link decodeToken}, and `INVALID_JWT` if `exp` is not a number
 * @public
 */
export function isExpired(token: string, now: number = Date.now()): boolean {
  const exp: unknown = extractClaim(token, "exp");
  if (exp === undefined) return false;
  if (typeof exp !== "number")
    throw failure(
      "The exp claim of the token is not a number of Unix seconds. Get a token from the session service.",
      "INVALID_JWT",
    );
  return now >= exp * 1000;
}

/** Whether a value is a launch token of the session service, whoever signed it. A page may have a
 *  parameter of the same name, and a JWT of its own in it. */
export function isLaunchToken(value: string): boolean {
  try {
    const header = decodePart(value.split(".")[0]) as { typ?: unknown } | null;
    return header?.typ === "launch+jwt" && !!decodeToken(value);
  } catch {
    return false;
  }
}

function decodePart(part = ""): unknown {
  const text = atob(part.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
