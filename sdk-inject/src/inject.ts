/**
 * sdk.js: wires the core and the interface to the browser. Nothing here decides
 * anything; whatever fails, fails without touching the page.
 */
import { createApi } from "./api";
import { type Clock, createServerClock } from "./clock";
import { createSession, type Session } from "./session";
import { createStore } from "./store";
import { languageOf } from "./strings";
import { createTimer } from "./ui/timer";

/** On window under this symbol: boot.js leaves the page's first fetch here, and
 *  whoever shows a timer (we, or the npm package) claims it. */
const KEY = Symbol.for("sessiongate");

interface Claim {
  fetch?: typeof fetch;
  session?: Session;
}

function start(): void {
  const claims = window as unknown as Record<symbol, Claim | undefined>;
  const claim: Claim = claims[KEY] ?? {};
  if (claim.session) return;
  const clock: Clock = {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer as number),
  };
  const serverClock = createServerClock(clock);
  const firstFetch = claim.fetch ?? fetch;
  const api = createApi({
    fetch: (input, init) => firstFetch.call(window, input, init),
    sendBeacon: (url, body) => navigator.sendBeacon(url, body),
    clock,
    serverClock,
  });
  const session = createSession({
    api,
    clock,
    serverClock,
    random: Math.random,
    channel: (name) => {
      try {
        return new BroadcastChannel(name);
      } catch {
        return undefined;
      }
    },
  });
  claim.session = session;
  if (!claims[KEY]) Object.defineProperty(window, KEY, { value: claim });

  let mounted = false;
  session.subscribe(() => {
    const { phase } = session.state();
    if (mounted || phase === "loading" || phase === "absent") return;
    mounted = true;
    createTimer({
      doc: document,
      session,
      api,
      clock,
      store: createStore(() => localStorage),
      strings: languageOf([document.documentElement.lang, ...navigator.languages]),
      loadDialogs: () =>
        import("./__DIALOG__") as unknown as ReturnType<Parameters<typeof createTimer>[0]["loadDialogs"]>,
      go: (address) => location.assign(address),
    });
  });
  follow(session);
}

/** Keeps the session in step with the page's own life. */
function follow(session: Session): void {
  const seen = () => (document.visibilityState === "hidden" ? session.sleep() : session.wake());
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("resume", seen); // thawed
  for (const event of ["pageshow", "focus", "online"]) window.addEventListener(event, seen);
  window.addEventListener("pagehide", () => session.leave());
  seen();
}

try {
  start();
} catch {}
