import type { Code } from "../protocol";

/**
 * Identifies an error in code. An error of the API has the API's code in upper case
 * (`PAUSE_NOT_ALLOWED`, `INSUFFICIENT_TOKENS`, …). The SDK adds its own:
 *
 * - `MISSING_TOKEN`: the page's URL contains no launch token, and none is configured
 * - `INVALID_TOKEN`, `MALFORMED_TOKEN`, `DECODE_ERROR`, `INVALID_JWT`: the token cannot be decoded
 * - `SESSION_EXPIRED`: the session ended before the SDK opened it
 * - `NOT_INITIALIZED`, `DESTROYED`, `INVALID_CONFIG`: the SDK was used or configured incorrectly
 * - `NETWORK`, `TIMEOUT`, `CIRCUIT_OPEN`: no response; `INVALID_ANSWER`, `HTTP_404` (or another
 *   status): a response that is not the session service's
 * - `LOAD_FAILED`: a file of the SDK could not be loaded
 * - `UNEXPECTED`: another error; its message is that of the error
 *
 * @public
 */
export type SDKErrorCode =
  | Uppercase<Code>
  | "MISSING_TOKEN"
  | "INVALID_TOKEN"
  | "MALFORMED_TOKEN"
  | "DECODE_ERROR"
  | "INVALID_JWT"
  | "NOT_INITIALIZED"
  | "DESTROYED"
  | "INVALID_CONFIG"
  | "NETWORK"
  | "TIMEOUT"
  | "CIRCUIT_OPEN"
  | "INVALID_ANSWER"
  | `HTTP_${number}`
  | "LOAD_FAILED"
  | "UNEXPECTED"
  | "INVALID_SIGNATURE";

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
