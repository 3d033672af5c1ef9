import type { SDKConfig } from "./config";
import { sdkError } from "./errors";
import type { Events } from "./events";
import type { SessionEvents } from "./session-events";

/** Emits onVisibility, and pauses while the page is hidden if configured. Returns a function that stops it. */
export function watchVisibility(
  config: SDKConfig,
  { emit }: Events,
  sessionEvents: SessionEvents,
  clock: { pause(): Promise<void>; resume(): Promise<void> },
): () => void {
  let pausedByUs = false;
  const changed = async () => {
    const hidden = document.visibilityState === "hidden";
    emit("onVisibility", { hidden });
    if (!config.pauseWhenHidden) return;
    try {
      if (hidden && sessionEvents.phase() === "active") {
        pausedByUs = true;
        await clock.pause();
      } else if (!hidden && pausedByUs) {
        pausedByUs = false;
        await clock.resume();
      }
    } catch (error) {
      pausedByUs = false;
      emit("onError", sdkError(error));
    }
  };
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}
