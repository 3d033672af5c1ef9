import type { Clock } from "./clock";
import type { Session } from "./session";

/** The longest delay of a timer. A longer one would run at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The browser's clock and timers. */
export const browserClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, Math.min(ms, LONGEST_MS)),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** Connects the session to the page's lifecycle events. The returned function adds the listeners
 *  (again, after document.open), or removes them if called with true. */
export function bindToPage(session: Session): (stop?: boolean) => void {
  // Named functions, so that adding them twice has no effect.
  const seen = (event?: Event) => {
    // The focus of a field passes the window, too, and is no return to the page.
    if (event?.target instanceof Element) return;
    if (document.visibilityState === "hidden") session.sleep();
    else session.wake();
  };
  return (stop) => {
    const act = stop ? "removeEventListener" : "addEventListener";
    // Events of the document also reach the window.
    for (const event of ["visibilitychange", "pageshow", "focus", "online"]) window[act](event, seen, true);
    window[act]("pagehide", session.leave);
    if (!stop) seen();
  };
}
