interface Zone {
  run<T>(callback: () => T): T;
}

/** The zones of zone.js, on pages that have it (Angular). */
function zones(): { current?: Zone; root?: Zone } {
  return (globalThis as { Zone?: object }).Zone ?? {};
}

type Run = <T>(callback: () => T) => T;

const runIn =
  (zone: Zone | undefined): Run =>
  (callback) =>
    // Another script may use the name Zone.
    typeof zone?.run === "function" ? zone.run(callback) : callback();

/** Runs something outside all zones: Angular counts a page with a timer in its zone as not yet stable. */
export const outside: Run = (callback) => runIn(zones().root)(callback);

/** Returns a function that runs handlers in the present zone, so that Angular notices what they change. */
export const presentZone = (): Run => runIn(zones().current);
