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
  const { random } = Math;
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
    random,
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

  const mount = () =>
    createTimer({
      doc: document,
      session,
      api,
      clock,
      random,
      store: createStore(() => localStorage),
      strings: languageOf([document.documentElement.lang, ...navigator.languages]),
      loadDialogs: () => import("./__DIALOG__"),
      onReplaced() {
        listen();
        mount();
      },
      go: (address) => location.assign(address),
    });
  // Nothing is added to a page before it is known to have a session.
  const waiting = session.subscribe(() => {
    const { phase } = session.state();
    if (phase === "loading" || phase === "absent") return;
    waiting();
    mount();
  });

  // Named, so that adding them again to a document that still has them adds nothing.
  const seen = () => (document.visibilityState === "hidden" ? session.sleep() : session.wake());
  const leave = () => session.leave();
  const listen = () => {
    // "resume": thawed.
    for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, seen);
    for (const event of ["pageshow", "focus", "online"]) window.addEventListener(event, seen);
    window.addEventListener("pagehide", leave);
  };
  listen();
  seen();
}

try {
  start();
} catch {}
