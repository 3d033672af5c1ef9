import type { SDKConfig, SessionData } from "./config";
import type { SDKError } from "./errors";
import { MarketplaceSDK } from "./sdk";

/** The state of the session that a framework renders. */
export interface Snapshot {
  session: SessionData | null;
  loading: boolean;
  error: SDKError | null;
  /** Whole seconds left. */
  remainingTime: number;
  /** The remaining time as the timer shows it: `9:42`. */
  formattedTime: string;
}

/** The state before the session is open; also what a server renders. */
export const first: Snapshot = {
  session: null,
  loading: true,
  error: null,
  remainingTime: 0,
  formattedTime: "0:00",
};

/** Opens a session for a component. StrictMode mounts twice: the second mount reuses the SDK
 *  of the first, because the launch token is in the URL only once. */
export function createBinding(config: SDKConfig, changed: (snapshot: Snapshot) => void) {
  const sdk = new MarketplaceSDK(config);
  let now = first;
  const set = (next: Partial<Snapshot>) => {
    now = {
      ...now,
      ...next,
      session: sdk.getSessionData(),
      remainingTime: sdk.getRemainingTime(),
      formattedTime: sdk.getFormattedTime(),
    };
    changed(now);
  };
  sdk.subscribe(() => set({}));
  sdk.initialize().then(
    () => set({ loading: false, error: null }),
    (error: SDKError) => error.code !== "DESTROYED" && set({ loading: false, error }),
  );
  return sdk;
}
