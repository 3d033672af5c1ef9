import type { Actions } from "../actions";
import { loadFailed, sdkError } from "./causes";
import type { SDKConfig } from "./config";
import type { Connection } from "./connection";
import type { Events } from "./events";
import { broadcastChannel, clock } from "./platform";

/** Emits onVisibility, and pauses while the page is hidden if configured. Returns a function that stops it. */
export function watchVisibility(
  config: SDKConfig,
  { emit }: Events,
  { session, store }: Connection,
  actions: Actions,
): () => void {
  const isVisible = () => document.visibilityState !== "hidden";
  const changed = () => emit("onVisibility", { hidden: !isVisible() });
  document.addEventListener("visibilitychange", changed);
  let stopped = false;
  let stopPausing = () => {};
  const onError = (error: unknown) => emit("onError", sdkError(error));
  const state = session.state();
  if (config.pauseWhenHidden && "view" in state)
    import("./hidden-pause").then(
      ({ pauseWhenHidden }) => {
        if (stopped) return;
        stopPausing = pauseWhenHidden({
          id: state.view.id,
          phase: () => session.state().phase,
          version() {
            const now = session.state();
            return "view" in now ? now.view.version : 0;
          },
          pause: actions.pause,
          resume: actions.resume,
          subscribe: session.subscribe,
          isVisible,
          listen({ visibility, leave, comeBack }) {
            const stop = new AbortController();
            const { signal } = stop;
            document.addEventListener("visibilitychange", visibility, { signal });
            addEventListener("pagehide", leave, { signal });
            addEventListener("pageshow", comeBack, { signal });
            return () => stop.abort();
          },
          clock,
          store,
          channel: broadcastChannel,
          onError,
        });
      },
      (error: unknown) => onError(loadFailed(error)),
    );
  return () => {
    stopped = true;
    document.removeEventListener("visibilitychange", changed);
    stopPausing();
  };
}
