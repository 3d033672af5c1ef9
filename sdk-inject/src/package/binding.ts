import type { SDKConfig, SessionData } from "./config";
import type { SDKError } from "./errors";
import { MarketplaceSDK } from "./sdk";

/** What a framework shows of the session. */
export interface Snapshot {
  session: SessionData | null;
  loading: boolean;
  error: SDKError | null;
  /** Whole seconds left. */
  remainingTime: number;
  /** As the timer shows it: `9:42`. */
  formattedTime: string;
}

/** Before anything is known; also what a server renders. */
export const first: Snapshot = {
  session: null,
  loading: true,
  error: null,
  remainingTime: 0,
  formattedTime: "0:00",
};

/** A session in a component's life. StrictMode mounts twice: the second mount takes over
 *  what the first began, since a launch token is in the address only once. */
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
