import type { GateError } from "../errors";

/**
 * Identifies an error in code. An error of the API has the API's code in upper case
 * (`PAUSE_NOT_ALLOWED`, `INSUFFICIENT_TOKENS`, …). The SDK adds its own:
 *
 * - `MISSING_TOKEN`: the page's URL contains no launch token, and none is configured
 * - `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR`, `INVALID_JWT`: the token cannot be decoded
 * - `SESSION_EXPIRED`: the session ended before the SDK opened it
 * - `NOT_INITIALIZED`, `DESTROYED`, `INVALID_CONFIG`: the SDK was used or configured incorrectly
 * - `NETWORK`, `TIMEOUT`, `CIRCUIT_OPEN`: no response; `INVALID_ANSWER`: an unexpected response
 * - `VALIDATION_FAILED`: the request was refused for another reason
 *
 * @public
 */
export type SDKErrorCode =
  | "MISSING_TOKEN"
  | "INVALID_TOKEN"
  | "MALFORMED_TOKEN"
  | "DECODE_ERROR"
  | "INVALID_JWT"
  | "SESSION_EXPIRED"
  | "SESSION_COMPLETED"
  | "SESSION_REVOKED"
  | "SESSION_CANCELED"
  | "SESSION_PENDING"
  | "SESSION_PAUSED"
  | "SESSION_MISSING"
  | "NOT_INITIALIZED"
  | "DESTROYED"
  | "INVALID_CONFIG"
  | "NETWORK"
  | "TIMEOUT"
  | "CIRCUIT_OPEN"
  | "INVALID_ANSWER"
  | "VALIDATION_FAILED"
  | "PAUSE_NOT_ALLOWED"
  | "ILLEGAL_TRANSITION"
  | "CONSENT_REQUIRED"
  | "INSUFFICIENT_TOKENS"
  | "RATE_LIMITED"
  | "INVALID_SIGNATURE"
  | Uppercase<string>;

/**
 * The type of every error that the SDK throws. Branch on {@link SDKError.code}; the message is for people.
 *
 * @public
 */
export class SDKError extends Error {
  constructor(
    message: string,
    /** Stable across releases. */
    readonly code: SDKErrorCode,
    /** The HTTP status, if there was a response. */
    readonly statusCode?: number,
    /** With `CONSENT_REQUIRED`: the page where the user can give consent. */
    readonly consentUrl?: string,
  ) {
    super(message);
    this.name = "SDKError";
  }
}

/** Converts any error to an SDKError. */
export function sdkError(error: unknown): SDKError {
  if (error instanceof SDKError) return error;
  const { code = "", status, problem } = error as Partial<GateError>;
  const name = (code.toUpperCase() || "VALIDATION_FAILED") as SDKErrorCode;
  return new SDKError(
    problem?.detail || `The session service refused the request: ${name}.`,
    name,
    status || undefined,
    problem?.consent_url,
  );
}
