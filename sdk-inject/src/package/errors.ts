import type { GateError } from "../errors";

/**
 * What went wrong, for programs. The codes of the API in capitals
 * (`PAUSE_NOT_ALLOWED`, `INSUFFICIENT_TOKENS`, …), and those of the SDK itself:
 *
 * - `MISSING_TOKEN`: the address held no launch token, and none was configured
 * - `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR`, `INVALID_JWT`: the token can't be read
 * - `SESSION_EXPIRED`: the session was over before it was opened here
 * - `NOT_INITIALIZED`, `DESTROYED`, `INVALID_CONFIG`: the SDK was used out of order
 * - `NETWORK`, `TIMEOUT`, `CIRCUIT_OPEN`: no answer; `INVALID_ANSWER`: one that is not ours
 * - `VALIDATION_FAILED`: refused for another reason
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
 * Every error of the SDK. Tell them apart by {@link SDKError.code}; the text is for people.
 *
 * @public
 */
export class SDKError extends Error {
  constructor(
    message: string,
    /** Stable: never changes its meaning. */
    readonly code: SDKErrorCode,
    /** The HTTP status, where there was an answer. */
    readonly statusCode?: number,
    /** With `CONSENT_REQUIRED`: where the user may agree. */
    readonly consentUrl?: string,
  ) {
    super(message);
    this.name = "SDKError";
  }
}

/** A failed call, as the package tells of it. */
export function sdkError(error: unknown): SDKError {
  if (error instanceof SDKError) return error;
  const { code = "", status, problem } = error as Partial<GateError>;
  const name = (code.toUpperCase() || "VALIDATION_FAILED") as SDKErrorCode;
  return new SDKError(
    problem?.detail || `The session service: ${name}.`,
    name,
    status || undefined,
    problem?.consent_url,
  );
}
