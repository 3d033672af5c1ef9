import type { Clock } from "./clock";
import type { Session } from "./session";

/** The browser's own time and timers. */
export const browserClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** Binds the session to the page's life. Calling what it returns adds the
 *  listeners (again, to a document that was written anew), and with true removes them. */
export function bindToPage(session: Session): (stop?: boolean) => void {
  // Named, so that adding them again to a document that still has them adds nothing.
  const seen = () => (document.visibilityState === "hidden" ? session.sleep() : session.wake());
  return (stop) => {
    const act = stop ? "removeEventListener" : "addEventListener";
    // Those of the document pass through the window, too.
    for (const event of ["visibilitychange", "pageshow", "focus", "online"]) window[act](event, seen, true);
    window[act]("pagehide", session.leave);
    if (!stop) seen();
  };
}
