import type { Api } from "./api";
import { HEARTBEAT_MS, retryDelay } from "./backoff";
import type { Clock, ServerClock } from "./clock";
import { GateError } from "./errors";
import { createHeartbeat } from "./heartbeat";
import type { Code, SessionAnswer } from "./protocol";
import { isNewer, type PageView, remainingMs, type State, stateOf, stateOfRefusal } from "./state";
import type { Store } from "./store";
import { type Channel, createTabs, type Locks, NEWEST, shareHeartbeat } from "./tabs";

/** The session of this page, kept in sync with the gate. */
export interface Session {
  state(): State;
  /** Milliseconds left by the server's clock; 0 unless active or paused. */
  remaining(): number;
  /** Calls the listener on every change and every tick. Returns a function that removes it. */
  subscribe(listener: () => void): () => void;
  /** The page is visible: fetches the state, then ticks and sends heartbeats. Also resyncs after sleep. */
  wake(): void;
  /** The page is hidden: stops ticks and heartbeats. */
  sleep(): void;
  /** The page is unloaded, perhaps into the back/forward cache. */
  leave(): void;
  /** Runs a change and applies its response. Rejects with a {@link GateError}, unless the error
   *  means that the session has ended: then the state becomes ended. */
  perform(change: () => Promise<SessionAnswer>): Promise<void>;
}

export interface SessionEffects {
  api: Api;
  clock: Clock;
  serverClock: ServerClock;
  random(): number;
  /** Undefined in browsers and frames without it. */
  channel(name: string): Channel | undefined;
  /** Where tabs record the last heartbeat. */
  store: Store;
  locks?: Locks | undefined;
  heartbeatMs?: number | undefined;
}

/** Failures in a row before the connection counts as lost. One failure is common. */
const LOST_AFTER_FAILURES = 2;
/** Focus and visibility events arrive in bursts; one request covers a burst. */
const RESYNC_MS = 2_000;
/** The number of requests at the deadline before a missing response counts as the end. */
const VERIFY_TRIES = 5;
/** Doubled for each. */
const VERIFY_MS = 125;
/** Timers may fire slightly early. Without this, the display would show the past second. */
const TICK_SLACK_MS = 5;

export function createSession(effects: SessionEffects): Session {
  const { api, clock, serverClock, random, store, heartbeatMs = HEARTBEAT_MS } = effects;
  const listeners = new Set<() => void>();
  let state: State = { phase: "loading" };
  // The latest view, also after the end.
  let view: PageView | undefined;
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
    send: () => shareHeartbeat(effects, heartbeatMs, sendHeartbeat, view?.id),
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

  /** Applies a response of the gate, and notifies the other tabs if it is new. */
  function applyAnswer({ session: next, site }: SessionAnswer) {
    if (isOver() || !isNewer(view, next)) return;
    const changed = !!view && next.version > view.version;
    view = { ...next, site };
    if (awake) tabs.open(next.id);
    set(stateOf(view));
    if (changed) notifyTabs(isOver() ? NEWEST : next.version);
  }

  function notifyTabs(version = NEWEST) {
    if (view) tabs.post({ id: view.id, version });
  }

  /** Whether the refusal determined the state of the session. */
  function applyRefusal(error: unknown): boolean {
    // Keep the first end reason: later refusals have less detail.
    if (isOver()) return true;
    const next = stateOfRefusal(error as GateError, view);
    if (!next) return false;
    // The cookie of a session that ran out goes before its page notices.
    if (next.phase === "ended" && next.reason === "gone" && !session.remaining()) next.reason = "expired";
    set(next);
    notifyTabs();
    return true;
  }

  /** Fetches the state; false on failure. One request at a time. */
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

  /** Whether the state must be fetched: at first, and when the deadline has passed by the
   *  local clock, because another tab may have extended the session. */
  const isUncertain = () => state.phase === "loading" || (state.phase === "active" && !session.remaining());

  /** Fetches until the state is certain. At the deadline, a gate that does not respond does
   *  not keep the session open. */
  async function resolveState(): Promise<void> {
    if (resolving) return;
    resolving = true;
    for (let tries = 1; awake && isUncertain(); tries++) {
      if (view && tries > VERIFY_TRIES) {
        set(stateOf({ ...view, status: "expired" }));
        break;
      }
      await refresh();
      const wait = view ? VERIFY_MS * 2 ** tries : retryDelay(tries, random());
      if (isUncertain()) await new Promise<void>((resolve) => clock.setTimeout(resolve, wait));
    }
    resolving = false;
    if (awake) session.wake();
  }

  async function sendHeartbeat(): Promise<void> {
    // A paused session sends no heartbeats, but the page must notice its end.
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
    // The machine slept, or its clock was set: the display is wrong until the gate responds.
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
      if (view) tabs.open(view.id);
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
        store.setNotes(state.view.id, { beat: 0 });
        notifyTabs();
      }
      session.sleep();
      tabs.close();
    },
    perform(change) {
      // The response also contains the state.
      refreshedAt = clock.elapsed();
      return change().then(applyAnswer, (error) => {
        // After a refusal, the displayed state may be out of date.
        if (applyRefusal(error)) return;
        void refresh();
        throw error;
      });
    },
  };
  return session;
}
