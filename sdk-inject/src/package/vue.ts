/**
 * The Vue 3 binding: a composable.
 *
 * @packageDocumentation
 */
import { computed, onMounted, onUnmounted, shallowRef } from "vue";
import { createBinding, first, type Snapshot } from "./binding";
import type { CallOptions } from "./cancel";
import type { SDKConfig } from "./config";
import { failure } from "./errors";
import type { MarketplaceSDK } from "./sdk";
import type { MarketplaceSession } from "./session-vue";

export type { CallOptions } from "./cancel";
export type { SessionAction, SessionControlsLabels, SessionControlsState } from "./controls";
export { SessionControls, type SessionControlsComponent } from "./controls-vue";
export { AuthError, NetworkError, SDKError, ValidationError } from "./errors";
export type { MarketplaceSession } from "./session-vue";

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
