/**
 * The Vue 3 binding: a composable.
 *
 * @packageDocumentation
 */
import { type ComputedRef, computed, onMounted, onUnmounted, shallowRef } from "vue";
import { createBinding, first, type Snapshot } from "./binding";
import type { CallOptions } from "./cancel";
import type { SDKConfig, SessionData } from "./config";
import { failure, type SDKError } from "./errors";
import type { MarketplaceSDK } from "./sdk";

export type { CallOptions } from "./cancel";
export type { SessionAction, SessionControlsLabels, SessionControlsState } from "./controls";
export { SessionControls, type SessionControlsComponent } from "./controls-vue";
export { AuthError, NetworkError, SDKError, ValidationError } from "./errors";

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

/**
 * Opens the session when the component mounts. On a server it returns `loading`.
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
  const act = (name: "endSession" | "pauseTimer" | "resumeTimer" | "extend") => (options?: CallOptions) =>
    sdk?.[name](options) ?? Promise.reject(failure("The component is not mounted yet.", "NOT_INITIALIZED"));
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
