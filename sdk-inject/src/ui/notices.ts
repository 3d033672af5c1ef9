import { formatUnit } from "../units";
import { reachedThreshold, warningThresholds } from "../warnings";
import type { Frame } from "./interfaces";

/** Announced to screen readers, in minutes before the end: milestones, not every second. */
const MILESTONES = [5, 1];
/** Ticks come every second; a page that missed more was away. */
const AWAY_MS = 5_000;
/** The files for the end are loaded this long before it. */
const AHEAD_S = 30;

/** Watches the deadline and reports warnings, milestones, added time and the end. */
export function createNotices(
  { context, words, status, close }: Frame,
  warn: () => void,
  actionsPanel: () => Promise<{ added(seconds: number): void; nearDeadline(seconds: number): void }>,
) {
  const { session, store, clock } = context;
  let { deadline } = context;
  let before = 0;
  /** The last tick, and the threshold and deadline that had been reached then. */
  let seenAt = Number.NEGATIVE_INFINITY;
  let seen = "";

  return () => {
    const state = session.state();
    if (state.phase !== "active") {
      // A pause moves the deadline, and adds no time.
      deadline = 0;
      return;
    }
    const { id, expires_at, duration_limit_seconds, warning_seconds } = state.view;
    const seconds = Math.ceil(session.remaining() / 1000);
    const reached = reachedThreshold(warningThresholds(warning_seconds, duration_limit_seconds), seconds);
    const added = deadline && expires_at - deadline;
    const { deadline: of, warned = 0 } = store.notes(id);
    // A page that is looked at warns when the time comes, whatever other windows did. One that comes
    // later does not repeat a warning.
    const moved = deadline && deadline !== expires_at;
    const watched = (moved || clock.elapsed() - seenAt < AWAY_MS) && seen !== `${expires_at} ${reached}`;
    seenAt = clock.elapsed();
    seen = `${expires_at} ${reached}`;
    if (added > 0) {
      // The user saw the deadline move: do not announce the remaining time again.
      store.setNotes(id, { deadline: expires_at, warned: reached ?? seconds });
      close();
      void actionsPanel().then((loaded) => loaded.added(added));
    } else if (reached && seconds && (watched || of !== expires_at || reached < warned)) {
      store.setNotes(id, { deadline: expires_at, warned: reached });
      status.textContent = words.left(
        formatUnit(seconds > 90 ? Math.ceil(seconds / 60) * 60 : seconds, words.unit),
      );
      warn();
    }
    deadline = expires_at;
    for (const minutes of MILESTONES)
      if (before > minutes * 60 && seconds <= minutes * 60)
        status.textContent = words.left(formatUnit(Math.ceil(seconds / 60) * 60, words.unit));
    before = seconds;
    if (seconds < AHEAD_S)
      actionsPanel()
        .then((loaded) => loaded.nearDeadline(seconds))
        .catch(() => {});
  };
}
