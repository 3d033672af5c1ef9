import type { Clock } from "./clock";
import type { Session } from "./session";

/** The browser's clock and timers. No delay of ours is near 25 days, beyond which a timer runs at
 *  once; the package bounds those that its configuration sets. */
export const browserClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
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
