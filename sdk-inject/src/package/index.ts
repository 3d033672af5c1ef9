/**
 * Timed, paid sessions in a web app: opens a session with a launch token, shows its clock,
 * keeps it in sync with the server, and ends it.
 *
 * @packageDocumentation
 */
export type { ModalStyles, SDKConfig, SDKEvents, SessionData } from "./config";
export { SDKError, type SDKErrorCode } from "./errors";
export { MarketplaceSDK } from "./sdk";
export { decodeToken, type TokenClaims } from "./token";
