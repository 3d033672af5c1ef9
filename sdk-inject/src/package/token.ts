import { SDKError } from "./errors";

/**
 * What a launch token says. Read, not verified: only the server can tell whether it is true.
 *
 * @public
 */
export interface TokenClaims {
  /** The session's id. */
  jti: string;
  /** The user's id. */
  sub?: string;
  /** Whose app it is for. */
  provider_id?: string;
  /** Unix seconds. */
  iat?: number;
  /** Unix seconds. */
  exp?: number;
  /** What was set aside. */
  tokens_allocated?: number;
  /** Where the user goes at the end. */
  return_url?: string;
  /** Whatever else it says. */
  [claim: string]: unknown;
}

/**
 * Reads a JWT's payload, as UTF-8, without verifying it.
 *
 * @throws {@link SDKError} `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR` or `INVALID_JWT` (no `jti`)
 * @public
 */
export function decodeToken(token: string): TokenClaims {
  if (typeof token !== "string" || !token) throw new SDKError("The token is empty.", "INVALID_TOKEN");
  const parts = token.split(".");
  if (parts.length !== 3) throw new SDKError("The token has not three parts.", "MALFORMED_TOKEN");
  let claims: unknown;
  try {
    const text = atob((parts[1] ?? "").replace(/-/g, "+").replace(/_/g, "/"));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    claims = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new SDKError("The token's payload can't be read.", "DECODE_ERROR");
  }
  const jti = (claims as Partial<TokenClaims> | null)?.jti;
  if (typeof jti !== "string" || !jti) throw new SDKError("The token names no session.", "INVALID_JWT");
  return claims as TokenClaims;
}
