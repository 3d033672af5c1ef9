import type { GateError } from "./errors";
import type { SessionSite, SessionView } from "./protocol";

/** `gone`: this browser has lost its cookie, or a new link has opened the session elsewhere. */
export type EndReason = "completed" | "expired" | "revoked" | "canceled" | "gone";

/** A session, and how its provider wants the clock. */
export interface PageView extends SessionView {
  site?: SessionSite | undefined;
}

/** The state that the page shows. `absent`: the page has no session and shows nothing. */
export type State =
  | { phase: "loading" }
  | { phase: "absent" }
  | { phase: "active" | "paused"; view: PageView; connected: boolean }
  | Ended;

export interface Ended {
  phase: "ended";
  reason: EndReason;
  returnUrl: string;
  sessionId: string;
}

/** Whether `next` may replace `known`: a late response never replaces a newer one. */
export function isNewer(known: SessionView | undefined, next: SessionView): boolean {
  return known?.id !== next.id || next.version >= known.version;
}

/** The state for a view. */
export function stateOf(view: PageView): State {
  const { status } = view;
  if (status === "active" || status === "paused") return { phase: status, view, connected: true };
  if (status === "pending") return { phase: "absent" };
  return { phase: "ended", reason: status, returnUrl: view.return_url, sessionId: view.id };
}

/**
 * The state that a refusal implies; undefined if it implies none (no connection, a
 * server error). A missing cookie before any response means that the page never had
 * a session.
 */
export function stateOfRefusal(
  { code, problem }: GateError,
  view: SessionView | undefined,
): State | undefined {
  // missing, moved, invalid
  const [, said, gone] = /^session_(completed|expired|revoked|canceled|(m|inv)\w+)$/.exec(code) ?? [];
  if (!said) return undefined;
  if (gone && !view) return { phase: "absent" };
  return {
    phase: "ended",
    reason: gone ? "gone" : (said as EndReason),
    returnUrl: problem.return_url ?? view?.return_url ?? "",
    sessionId: problem.session_id ?? view?.id ?? "",
  };
}

/** Milliseconds left at the server's time `now`; constant while paused. Never more than was
 *  sold: the clock starts at the next whole second. */
export function remainingMs(view: SessionView, now: number): number {
  const at = view.status === "paused" && view.paused_at ? view.paused_at * 1000 : now;
  return Math.max(0, Math.min(view.expires_at * 1000 - at, view.duration_limit_seconds * 1000));
}
