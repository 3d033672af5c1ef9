/**
 * Timed, paid sessions in a web app: opens a session with a launch token, shows its clock,
 * keeps it in sync with the server, and ends it.
 *
 * @packageDocumentation
 */
export type { CallOptions } from "./cancel";
export type {
  ModalStyles,
  Optional,
  RequestHooks,
  SDKConfig,
  SDKEvents,
  SDKRequest,
  SDKResponse,
  SessionData,
  TelemetryConfig,
} from "./config";
export {
  AuthError,
  type AuthErrorCode,
  NetworkError,
  type NetworkErrorCode,
  SDKError,
  type SDKErrorCode,
  ValidationError,
  type ValidationErrorCode,
} from "./errors";
export { MarketplaceSDK } from "./sdk";
export type { Texts, TextsByLanguage } from "./texts-config";
export { decodeToken, extractClaim, isExpired, type TokenClaims } from "./token";
