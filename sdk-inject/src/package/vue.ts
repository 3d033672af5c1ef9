/**
 * The session in Vue 3: a composable.
 *
 * @packageDocumentation
 */
import { type ComputedRef, computed, onMounted, onUnmounted, shallowRef } from "vue";
import { createBinding, first, type Snapshot } from "./binding";
import type { SDKConfig, SessionData } from "./config";
import { SDKError } from "./errors";
import type { MarketplaceSDK } from "./sdk";

/**
 * The session, and what can be done with it.
 *
 * @public
 */
export interface MarketplaceSession {
  /** Null until it is open. */
  session: ComputedRef<SessionData | null>;
  /** Until it is open or has failed. */
  loading: ComputedRef<boolean>;
  /** Why it could not be opened. */
  error: ComputedRef<SDKError | null>;
  /** Whole seconds left. */
  remainingTime: ComputedRef<number>;
  /** As the timer shows it: `9:42`. */
  formattedTime: ComputedRef<string>;
  /** As `MarketplaceSDK.endSession`. */
  endSession(): Promise<void>;
  /** As `MarketplaceSDK.pauseTimer`. */
  pauseSession(): Promise<void>;
  /** As `MarketplaceSDK.resumeTimer`. */
  resumeSession(): Promise<void>;
  /** As `MarketplaceSDK.extend`. */
  extendSession(): Promise<void>;
}

/**
 * Opens the session when the component mounts; renders on a server as `loading`.
 *
 * @public
 */
export function useMarketplaceSession(config: SDKConfig): MarketplaceSession {
  const snapshot = shallowRef<Snapshot>(first);
  let sdk: MarketplaceSDK | undefined;
  onMounted(() => {
    sdk = createBinding(config, (next) => {
      snapshot.value = next;
    });
  });
  onUnmounted(() => sdk?.destroy());
  const act = (name: "endSession" | "pauseTimer" | "resumeTimer" | "extend") => () =>
    sdk?.[name]() ?? Promise.reject(new SDKError("Not mounted yet.", "NOT_INITIALIZED"));
  return {
    session: computed(() => snapshot.value.session),
    loading: computed(() => snapshot.value.loading),
    error: computed(() => snapshot.value.error),
    remainingTime: computed(() => snapshot.value.remainingTime),
    formattedTime: computed(() => snapshot.value.formattedTime),
    endSession: act("endSession"),
    pauseSession: act("pauseTimer"),
    resumeSession: act("resumeTimer"),
    extendSession: act("extend"),
  };
}
