import { SDKError } from "./errors";

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
 * @throws {@link SDKError} `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR` or `INVALID_JWT` (no `jti`)
 * @public
 */
export function decodeToken(token: string): TokenClaims {
  if (typeof token !== "string" || !token) throw new SDKError("The token is empty.", "INVALID_TOKEN");
  const parts = token.split(".");
  if (parts.length !== 3)
    throw new SDKError("Not a JWT: expected three dot-separated parts.", "MALFORMED_TOKEN");
  let claims: unknown;
  try {
    claims = decodePart(parts[1]);
  } catch {
    throw new SDKError("The payload of the token is not base64url-encoded JSON.", "DECODE_ERROR");
  }
  const jti = (claims as Partial<TokenClaims> | null)?.jti;
  if (typeof jti !== "string" || !jti) throw new SDKError("The token has no jti claim.", "INVALID_JWT");
  return claims as TokenClaims;
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
