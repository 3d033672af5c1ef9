import type { ComputedRef } from "vue";
import type { CallOptions } from "./cancel";
import type { SessionData } from "./config";
import type { SDKError } from "./errors";

/**
 * The state of the session, and the actions on it.
 *
 * @public
 */
export interface MarketplaceSession {
  /** The session, or null until it is open. */
  session: ComputedRef<SessionData | null>;
  /** True until the session is open or opening it failed. */
  loading: ComputedRef<boolean>;
  /** The error if the session could not be opened. */
  error: ComputedRef<SDKError | null>;
  /** Whole seconds left. */
  remainingTime: ComputedRef<number>;
  /** The remaining time as the timer shows it: `9:42`. */
  formattedTime: ComputedRef<string>;
  /** Calls `MarketplaceSDK.endSession`. */
  endSession(): Promise<void>;
  /** The same, with options. */
  endSession(options: CallOptions): Promise<void>;
  /** Calls `MarketplaceSDK.pauseTimer`. */
  pauseSession(): Promise<void>;
  /** The same, with options. */
  pauseSession(options: CallOptions): Promise<void>;
  /** Calls `MarketplaceSDK.resumeTimer`. */
  resumeSession(): Promise<void>;
  /** The same, with options. */
  resumeSession(options: CallOptions): Promise<void>;
  /** Calls `MarketplaceSDK.extend`. */
  extendSession(): Promise<void>;
  /** The same, with options. */
  extendSession(options: CallOptions): Promise<void>;
}
