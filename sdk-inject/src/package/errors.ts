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
 * - `HOOK_FAILED`: a function in `hooks` failed
 * - `UNEXPECTED`: another error; its message is that of the error
 * - `INVALID_SIGNATURE`: a webhook that the session service did not sign
 *
 * @public
 */
export type SDKErrorCode =
  | Uppercase<Code>
  | NetworkErrorCode
  | ValidationErrorCode
  | AuthErrorCode
  | "NOT_INITIALIZED"
  | "DESTROYED"
  | "HOOK_FAILED"
  | "UNEXPECTED";

/**
 * The codes of a {@link NetworkError}.
 *
 * @public
 */
export type NetworkErrorCode =
  | "NETWORK"
  | "TIMEOUT"
  | "CIRCUIT_OPEN"
  | "INVALID_ANSWER"
  | `HTTP_${number}`
  | "LOAD_FAILED"
  | "UNAVAILABLE"
  | "BACKEND_UNAVAILABLE"
  | "ORIGIN_UNAVAILABLE";

/**
 * The codes of a {@link ValidationError}.
 *
 * @public
 */
export type ValidationErrorCode =
  | "INVALID_TOKEN"
  | "MALFORMED_TOKEN"
  | "DECODE_ERROR"
  | "INVALID_JWT"
  | "INVALID_CONFIG"
  | "INVALID_REQUEST"
  | "TOO_LARGE";

/**
 * The codes of an {@link AuthError}.
 *
 * @public
 */
export type AuthErrorCode =
  | "MISSING_TOKEN"
  | "TOKEN_INVALID"
  | "TOKEN_MISMATCH"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "WRONG_PROVIDER"
  | "CROSS_SITE"
  | "ANOTHER_SESSION"
  | "SESSION_MISSING"
  | "SESSION_INVALID"
  | "SESSION_MOVED"
  | "LAUNCH_SPENT"
  | "LAUNCH_INVALID"
  | "LAUNCH_EXPIRED"
  | "INVALID_SIGNATURE";

/** The property by which copies of this package recognize one another's errors. */
const KIND = Symbol.for("sessiongate.error");

/**
 * The type of every error that the SDK throws, except for the reason of an AbortSignal. Branch on
 * {@link SDKError.code}; the message is for people.
 *
 * `instanceof` also recognizes the errors of other copies of this package: its entries may be bundled
 * apart, and a page may load two versions.
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

  /** @internal */
  get [KIND](): string {
    return "";
  }

  /** @internal */
  static override [Symbol.hasInstance](this: { prototype: object }, value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class on the right of instanceof
    const { prototype } = this;
    const own: unknown = Object.hasOwn(prototype, KIND) && Reflect.get(prototype, KIND);
    const kind: unknown = (value as Partial<SDKError> | null | undefined)?.[KIND];
    // A class that an app derives has no kind of its own.
    if (typeof own !== "string") return Object.prototype.isPrototypeOf.call(prototype, value as object);
    return typeof kind === "string" && (!own || own === kind);
  }
}

/**
 * No answer of the session service arrived, or none that is its own: the network, a proxy, CORS, or a
 * service that is down. The same call may succeed later. `LOAD_FAILED` is a file of the SDK.
 *
 * @public
 */
export class NetworkError extends SDKError {
  /** Stable across releases. */
  declare readonly code: NetworkErrorCode;

  /** @internal */
  override get [KIND](): string {
    return "network";
  }
}

/**
 * A value cannot be used: a token that is no JWT, a setting, an argument. The same call fails again.
 *
 * @public
 */
export class ValidationError extends SDKError {
  /** Stable across releases. */
  declare readonly code: ValidationErrorCode;

  /** @internal */
  override get [KIND](): string {
    return "validation";
  }
}

/**
 * The caller has no right to this: a token, link or key that is missing, spent, or not valid here. A
 * session that is over (`SESSION_EXPIRED`, …) is a plain {@link SDKError}.
 *
 * @public
 */
export class AuthError extends SDKError {
  /** Stable across releases. */
  declare readonly code: AuthErrorCode;

  /** @internal */
  override get [KIND](): string {
    return "auth";
  }
}

const NETWORK = /^(NETWORK|TIMEOUT|CIRCUIT_OPEN|INVALID_ANSWER|HTTP_\d+|LOAD_FAILED|(\w+_)?UNAVAILABLE)$/;
const VALIDATION = /^(INVALID_(TOKEN|JWT|CONFIG|REQUEST)|MALFORMED_TOKEN|DECODE_ERROR|TOO_LARGE)$/;
const AUTH =
  /^(MISSING_TOKEN|TOKEN_\w+|UNAUTHORIZED|FORBIDDEN|WRONG_PROVIDER|CROSS_SITE|ANOTHER_SESSION|SESSION_(M\w+|INVALID)|LAUNCH_\w+|INVALID_SIGNATURE)$/;

/** Returns an error of the class that its code belongs to. */
export function failure(
  message: string,
  code: SDKErrorCode,
  statusCode?: number,
  consentUrl?: string,
): SDKError {
  const Kind: typeof SDKError = NETWORK.test(code)
    ? NetworkError
    : VALIDATION.test(code)
      ? ValidationError
      : AUTH.test(code)
        ? AuthError
        : SDKError;
  return new Kind(message, code, statusCode, consentUrl);
}
