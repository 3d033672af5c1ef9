import type { SessionView } from "../protocol";
import type { Session } from "../session";
import { reachedThreshold, warningThresholds } from "../warnings";
import type { SessionData } from "./config";
import type { Events } from "./events";

/** The latest state of a session, and the events that its changes cause. */
export interface SessionEvents {
  /** Reads the session and emits an event for each change. */
  update(): void;
  /** The latest view, also after the end. */
  view(): SessionView | undefined;
  data(): SessionData | null;
  phase(): string;
}

export interface SessionEventsEffects {
  session: Session;
  userId: string;
  emit: Events["emit"];
  /** Records an event for the provider's analytics. */
  trackEvent(name: string, props?: Record<string, string>): void;
}

/** Converts state changes of a session to {@link SDKEvents}. */
export function createSessionEvents({
  session,
  userId,
  emit,
  trackEvent,
}: SessionEventsEffects): SessionEvents {
  let view: SessionView | undefined;
  let phase = "loading";
  let warned = Number.POSITIVE_INFINITY;

  const data = (): SessionData | null => {
    if (!view) return null;
    const { phase } = session.state();
    const { extension, pause } = view;
    return {
      sessionId: view.id,
      userId,
      providerId: view.provider_id,
      tokensAllocated: view.tokens_allocated,
      durationSeconds: view.duration_limit_seconds,
      expiresAt: view.expires_at,
      returnUrl: view.return_url,
      status: phase === "active" || phase === "paused" ? phase : "ended",
      ...(extension && {
        extension: {
          additionalSeconds: extension.additional_seconds,
          tokens: extension.tokens,
          left: Math.max(0, extension.max_count - (extension.used ?? 0)),
        },
      }),
      ...(pause && { pause: { left: Math.max(0, pause.max_count - (pause.used ?? 0)) } }),
    };
  };

  function warn({ warning_seconds, duration_limit_seconds }: SessionView) {
    const remainingSeconds = Math.ceil(session.remaining() / 1000);
    const thresholds = warningThresholds(warning_seconds, duration_limit_seconds);
    const reached = reachedThreshold(thresholds, remainingSeconds);
    if (!reached || reached >= warned || !remainingSeconds) return;
    warned = reached;
    emit("onSessionWarning", { remainingSeconds });
    trackEvent("session.warning", { seconds: `${reached}` });
  }

  return {
    view: () => view,
    data,
    phase: () => phase,
    update() {
      const state = session.state();
      const [before, last] = [view, phase];
      phase = state.phase;
      if ("view" in state) view = state.view;
      const now = data();
      if (!now || !view) return;
      if (last === "loading" && phase !== "ended") {
        emit("onSessionStart", now);
        trackEvent("session.start");
      } else if (phase !== last) {
        if (phase === "paused") emit("onPause", now);
        if (phase === "active") emit("onResume", now);
      } else if (phase === "active" && before && view.expires_at > before.expires_at) {
        const additionalSeconds = view.expires_at - before.expires_at;
        warned = Number.POSITIVE_INFINITY;
        emit("onExtend", { additionalSeconds, session: now });
        trackEvent("session.extend", { seconds: `${additionalSeconds}` });
      }
      if (phase === "active") warn(view);
      if (state.phase === "ended" && last !== "ended") {
        trackEvent("session.end", { reason: state.reason });
        emit("onSessionEnd", { reason: state.reason });
      }
    },
  };
}
