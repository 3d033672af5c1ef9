import type { Snapshot } from "./binding";
import type { CallOptions } from "./cancel";
import type { MarketplaceSDK } from "./sdk";

/**
 * The state of the session, and the actions on it.
 *
 * @public
 */
export interface MarketplaceSession extends Snapshot {
  /** Undefined on a server and before the first effect runs. */
  sdk: MarketplaceSDK | undefined;
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
