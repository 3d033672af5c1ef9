/**
 * sdk.js: connects the core and the interface to the browser. It makes no decisions,
 * and its errors never affect the page.
 */
import { createApi } from "./api";
import { bindToPage, browserClock as clock } from "./browser";
import { createServerClock } from "./clock";
import type { Input } from "./input";
import { createSession, type Session } from "./session";
import { createStore, NAME } from "./store";
import { en } from "./strings";
import { createTimer } from "./ui/timer";
import { wantedLanguages } from "./wanted";

/** The property of window with this symbol holds the original fetch and the first listeners, set
 *  by boot.js, and the session whose timer is shown, by this script or the npm package. */
const KEY = Symbol.for(NAME);

interface Claim extends Input {
  fetch: typeof fetch;
  session?: Session;
  /** Called by the npm package when it has removed the timer that it showed in the place of ours. */
  start?: () => Promise<void>;
}

async function start(): Promise<void> {
  const claim = (window as unknown as Record<symbol, Claim | undefined>)[KEY];
  if (!claim) return;
  claim.start = start;
  if (claim.session) return;
  const effects = {
    clock,
    serverClock: createServerClock(clock),
    random: Math.random,
    store: createStore(() => localStorage),
    locks: navigator.locks,
    fetch: claim.fetch.bind(window),
    sendBeacon: navigator.sendBeacon?.bind(navigator),
    channel: (name: string) => new BroadcastChannel(name),
    doc: document,
    input: claim,
    parts: {
      dialog: () => import("./__DIALOG__"),
      actionsPanel: () => import("./__ACTIONS__"),
      move: () => import("./__MOVE__"),
      site: () => import("./__SITE__"),
    },
    onReplaced() {
      listen();
      void mount();
    },
  };
  const api = createApi(effects);
  const session = createSession({ ...effects, api });
  claim.session = session;

  async function mount() {
    const wanted = wantedLanguages();
    const strings = /^en/i.test(wanted[0] ?? "")
      ? en
      : await import("./__LANGUAGES__").then((m) => m.stringsFor(wanted)).catch(() => en);
    createTimer({ ...effects, api, session, strings });
  }
  // Add nothing to the page until it has a session.
  const waiting = session.subscribe(() => {
    if (/loading|absent/.test(session.state().phase)) return;
    waiting();
    void mount();
  });
  const listen = bindToPage(session);
  listen();
}

start().catch(() => {});
