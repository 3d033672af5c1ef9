import type { Api } from "./api";
import { HEARTBEAT_MS, retryDelay } from "./backoff";
import type { Clock, ServerClock } from "./clock";
import { GateError } from "./errors";
import { createHeartbeat } from "./heartbeat";
import type { Code, SessionAnswer, SessionView } from "./protocol";
import { isNewer, remainingMs, type State, stateOf, stateOfRefusal } from "./state";
import type { Store } from "./store";
import { type Channel, createTabs, type Locks, NEWEST, shareHeartbeat } from "./tabs";

/** The one session of this page: what it knows of it, kept true. */
export interface Session {
  state(): State;
  /** Milliseconds left by the server's clock; 0 unless active or paused. */
  remaining(): number;
  /** Called on every change and on every tick. Returns its own undoing. */
  subscribe(listener: () => void): () => void;
  /** The page is seen: asks the gate, then ticks and beats. Again after a sleep: resyncs. */
  wake(): void;
  /** The page is hidden: no tick, no heartbeat. */
  sleep(): void;
  /** The page goes, perhaps into the back/forward cache. */
  leave(): void;
  /** Makes a change and takes over its answer. Rejects with a {@link GateError},
   *  unless that says that the session is over: then it is shown as over. */
  perform(change: () => Promise<SessionAnswer>): Promise<void>;
}

export interface SessionEffects {
  api: Api;
  clock: Clock;
  serverClock: ServerClock;
  random(): number;
  /** Undefined in browsers and frames without it. */
  channel(name: string): Channel | undefined;
  /** Where the tabs note that one of them has beaten. */
  store: Store;
  locks?: Locks | undefined;
  heartbeatMs?: number | undefined;
}

/** Two in a row: one may be an ordinary hiccup. */
const LOST_AFTER_FAILURES = 2;
/** Focus and visibility come in bunches; one question answers them. */
const RESYNC_MS = 2_000;
/** At the deadline the gate is asked this often before its silence is taken as the end. */
const VERIFY_TRIES = 5;
const VERIFY_FIRST_MS = 250;
/** A timer may fire a little early; the display must not show the second that is over. */
const TICK_SLACK_MS = 5;

export function createSession(effects: SessionEffects): Session {
  const { api, clock, serverClock, random, store, heartbeatMs = HEARTBEAT_MS } = effects;
  const listeners = new Set<() => void>();
  let state: State = { phase: "loading" };
  // The newest known, also after the end.
  let view: SessionView | undefined;
  let awake = false;
  let resolving = false;
  let ticker: unknown;
  let refreshing: Promise<boolean> | undefined;
  let refreshedAt = Number.NEGATIVE_INFINITY;

  const notify = () => {
    for (const listener of listeners) listener();
  };
  const tabs = createTabs(effects.channel, ({ id, version }) => {
    if (view && id === view.id && Number(version) > view.version && !isOver())
      sendHeartbeat().catch(() => {});
  });
  const heartbeat = createHeartbeat({
    send: () => shareHeartbeat(effects, heartbeatMs, sendHeartbeat),
    onResult: (failures) => setConnected(failures < LOST_AFTER_FAILURES),
    clock,
    random,
    intervalMs: heartbeatMs,
  });

  function set(next: State) {
    state = next;
    if (isOver()) stopTimers();
    schedule();
    notify();
  }

  const isOver = () => /ended|absent/.test(state.phase);

  function setConnected(connected: boolean) {
    if (state.phase === "active" && state.connected !== connected) set({ ...state, connected });
  }

  /** Takes over an answer of the gate and tells the other tabs when it is new. */
  function applyAnswer({ session: next }: SessionAnswer) {
    if (isOver() || !isNewer(view, next)) return;
    const changed = !!view && next.version > view.version;
    view = next;
    set(stateOf(next));
    if (changed) notifyTabs(isOver() ? NEWEST : next.version);
  }

  function notifyTabs(version = NEWEST) {
    if (view) tabs.post({ id: view.id, version });
  }

  /** Whether the refusal settled what state the session is in. */
  function applyRefusal(error: unknown): boolean {
    // A page that knows its end keeps its reason: later refusals know less.
    if (isOver()) return true;
    const next = stateOfRefusal(error as GateError, view);
    if (!next) return false;
    // The cookie of a session that ran out goes before its page notices.
    if (next.phase === "ended" && next.reason === "gone" && !session.remaining()) next.reason = "expired";
    set(next);
    notifyTabs();
    return true;
  }

  /** Asks the gate for the state; false when it could not be had. One question at a time. */
  function refresh(): Promise<boolean> {
    if (!refreshing) {
      refreshedAt = clock.elapsed();
      refreshing = api
        .session()
        .then((answer) => {
          applyAnswer(answer);
          setConnected(true);
          return true;
        }, applyRefusal)
        .finally(() => {
          refreshing = undefined;
        });
    }
    return refreshing;
  }

  /** Whether only the gate can say how things stand: at first, and when the deadline
   *  has passed by our clock: an extension in another tab may have moved it. */
  const isUncertain = () => state.phase === "loading" || (state.phase === "active" && !session.remaining());

  /** Asks until there is no more doubt; a gate that stays silent at the deadline
   *  does not keep the session open. */
  async function resolveState(): Promise<void> {
    if (resolving) return;
    resolving = true;
    for (let tries = 1; awake && isUncertain(); tries++) {
      if (view && tries > VERIFY_TRIES) {
        set(stateOf({ ...view, status: "expired" }));
        break;
      }
      await refresh();
      const wait = view ? VERIFY_FIRST_MS * 2 ** (tries - 1) : retryDelay(tries, random());
      if (isUncertain()) await new Promise<void>((resolve) => clock.setTimeout(resolve, wait));
    }
    resolving = false;
    if (awake) session.wake();
  }

  async function sendHeartbeat(): Promise<void> {
    // A paused session sends no signs of life, but its page must learn of its end.
    if (state.phase === "active") {
      try {
        const { version } = await api.heartbeat({ timestamp: clock.now(), active: true });
        if (version <= state.view.version) return;
      } catch (error) {
        if ((error as GateError).code !== ("session_paused" satisfies Code)) {
          if (applyRefusal(error)) return;
          throw error;
        }
      }
    }
    if (!(await refresh())) throw new GateError("network");
  }

  function schedule() {
    clock.clearTimeout(ticker);
    if (!awake || state.phase !== "active") return;
    const left = session.remaining();
    if (left > 0) ticker = clock.setTimeout(tick, (left % 1000 || 1000) + TICK_SLACK_MS);
    else void resolveState();
  }

  function tick() {
    // The machine slept, or someone set its clock: what is shown is wrong until the gate answers.
    if (serverClock.jumped()) void refresh();
    schedule();
    notify();
  }

  function resync() {
    if (clock.elapsed() - refreshedAt > RESYNC_MS) void refresh();
  }

  function stopTimers() {
    clock.clearTimeout(ticker);
    heartbeat.stop();
  }

  const session: Session = {
    state: () => state,
    remaining: () => ("view" in state ? remainingMs(state.view, serverClock.now()) : 0),
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    wake() {
      if (isOver()) return;
      awake = true;
      tabs.open();
      if (state.phase === "loading") void resolveState();
      else {
        heartbeat.start();
        schedule();
        resync();
      }
    },
    sleep() {
      awake = false;
      stopTimers();
    },
    leave() {
      if (state.phase === "active") {
        api.sendLastHeartbeat({ timestamp: clock.now(), active: false });
        store.write({ beat: 0 });
        notifyTabs();
      }
      session.sleep();
      tabs.close();
    },
    perform(change) {
      // Its answer is one to the question of how things stand, too.
      refreshedAt = clock.elapsed();
      return change().then(applyAnswer, (error) => {
        // Whatever was refused, what we showed may be out of date.
        if (applyRefusal(error)) return;
        void refresh();
        throw error;
      });
    },
  };
  return session;
}
