import { createActions } from "../actions";
import { createApi } from "../api";
import { browserClock as clock, follow } from "../browser";
import { createServerClock } from "../clock";
import { GateError } from "../errors";
import { formatClock, returnAddress } from "../format";
import { GATE_PREFIX, type SessionView } from "../protocol";
import { createSession, type Session } from "../session";
import { createStore } from "../store";
import { reachedThreshold, warningThresholds } from "../warnings";
import { createAnalytics } from "./analytics";
import { BACKEND_BASE, backendFetch } from "./backend";
import { withBreaker } from "./breaker";
import type { SDKConfig, SDKEvents, SessionData } from "./config";
import { SDKError, sdkError } from "./errors";
import { decodeToken, type TokenClaims } from "./token";

/** Under this every copy of ours on a page finds the others: boot.js, sdk.js, this package. */
const KEY = Symbol.for("sessiongate");
const PARAM = "session";
const STORED = "sessiongate-token";
const TRIES = 3;
const SAVING_MS = 5_000;
const NAME = /^[a-z0-9_.]{1,64}$/;

interface Claim {
  fetch?: typeof fetch;
  /** Whoever shows the timer of this page. */
  session?: unknown;
}

type Handlers = { [E in keyof SDKEvents]?: Set<SDKEvents[E]> };

/**
 * A timed session in a web app: opens it, shows its clock, keeps it true, ends it.
 *
 * @example
 * ```ts
 * const sdk = new MarketplaceSDK({ apiEndpoint: "https://api.marketplace.example" });
 * sdk.on("onSessionEnd", () => save());
 * await sdk.initialize();
 * ```
 *
 * @public
 */
export class MarketplaceSDK {
  readonly #config: SDKConfig;
  readonly #handlers: Handlers = {};
  readonly #listeners = new Set<() => void>();
  readonly #aborter = new AbortController();
  readonly #undo: (() => void)[] = [];
  #opening: Promise<SessionData> | undefined;
  #session: Session | undefined;
  #actions: ReturnType<typeof createActions> | undefined;
  #analytics: ReturnType<typeof createAnalytics> | undefined;
  #claims: TokenClaims | undefined;
  /** The newest known, also after the end. */
  #view: SessionView | undefined;
  #userId = "";
  /** Out of the address, and in no storage. */
  #kept: string | undefined;
  #mount: (() => Promise<void>) | undefined;
  #mounted = false;
  #phase = "loading";
  #warned = Number.POSITIVE_INFINITY;
  #pausedByUs = false;
  #beats = 0;

  /** @throws {@link SDKError} `INVALID_CONFIG` */
  constructor(config: SDKConfig) {
    const { apiEndpoint } = config;
    if (apiEndpoint && !/^https:\/\/|^http:\/\/(localhost|127\.|\[::1\])/.test(apiEndpoint))
      throw new SDKError("apiEndpoint must be https, or http on this machine.", "INVALID_CONFIG");
    this.#config = config;
  }

  /**
   * Listens to an event.
   *
   * @returns what stops listening
   */
  on<E extends keyof SDKEvents>(event: E, handler: SDKEvents[E]): () => void {
    let set = this.#handlers[event] as Set<SDKEvents[E]> | undefined;
    if (!set) {
      set = new Set();
      (this.#handlers as Record<string, unknown>)[event] = set;
    }
    const all = set;
    all.add(handler);
    return () => void all.delete(handler);
  }

  /**
   * Takes the launch token from the page's address, has the server check it, and
   * shows the timer. Behind the gate, which has taken the token already, it joins
   * the gate's session. Called again it answers the same.
   *
   * @returns the session
   * @throws {@link SDKError} when there is no session, or the server can't be reached after
   * three tries; call it again then: it has kept the token
   */
  initialize(): Promise<SessionData> {
    if (this.#aborter.signal.aborted)
      return Promise.reject(new SDKError("The SDK was destroyed.", "DESTROYED"));
    this.#opening ??= this.#open().catch((error: unknown) => {
      const told = sdkError(error);
      this.#log("could not open the session", told.code);
      this.#emit("onError", told);
      this.#opening = undefined;
      throw told;
    });
    return this.#opening;
  }

  /**
   * Shows the timer, where `autoStart` is false. The paid clock is the server's and
   * runs regardless.
   *
   * @throws {@link SDKError} `NOT_INITIALIZED`
   */
  startTimer(): void {
    this.#need();
    if (!this.#mounted) this.#mount?.().catch((error: unknown) => this.#emit("onError", sdkError(error)));
  }

  /**
   * Asks the server to stop the paid clock.
   *
   * @throws {@link SDKError} `PAUSE_NOT_ALLOWED`, or another refusal: then the clock runs on
   */
  pauseTimer(): Promise<void> {
    return this.#act((actions) => actions.pause());
  }

  /**
   * Asks the server to let the paid clock run again.
   *
   * @throws {@link SDKError}
   */
  resumeTimer(): Promise<void> {
    return this.#act((actions) => actions.resume());
  }

  /**
   * Buys more time, within what the marketplace offered when it sold the session.
   *
   * @throws {@link SDKError} `CONSENT_REQUIRED` (with `consentUrl`) beyond the offer,
   * `INSUFFICIENT_TOKENS`, or another refusal
   */
  extend(): Promise<void> {
    return this.#act((actions) => {
      const offer = this.#view?.extension;
      if (!offer) throw new GateError("consent_required", {}, 403);
      return actions.extend(offer);
    });
  }

  /**
   * Lets the app save its work (`onBeforeEnd`), ends the session for good, and leads
   * back to the marketplace.
   *
   * @throws {@link SDKError}
   */
  async endSession(): Promise<void> {
    await this.#act(async (actions) => {
      await this.#beforeEnd("user");
      await actions.end();
    });
    this.#goBack();
  }

  /** The session, or null before {@link MarketplaceSDK.initialize}. */
  getSessionData(): SessionData | null {
    const view = this.#view;
    if (!view) return null;
    const phase = this.#session?.state().phase;
    return {
      sessionId: view.id,
      userId: this.#userId,
      providerId: view.provider_id,
      tokensAllocated: view.tokens_allocated,
      durationSeconds: view.duration_limit_seconds,
      expiresAt: view.expires_at,
      returnUrl: view.return_url,
      status: phase === "active" || phase === "paused" ? phase : "ended",
    };
  }

  /** Whole seconds left, by the server's clock; 0 when there is no session. */
  getRemainingTime(): number {
    return Math.ceil((this.#session?.remaining() ?? 0) / 1000);
  }

  /** What is left, as the timer shows it: `9:42`, `1:02:09`. */
  getFormattedTime(): string {
    return formatClock(this.#session?.remaining() ?? 0);
  }

  /**
   * Notes something for the provider's analytics; sent in batches. No personal data.
   *
   * @param name - lower case letters, digits, `_` and `.`, at most 64
   * @throws {@link SDKError} `INVALID_CONFIG` for a name or value that can't be sent
   */
  track(name: string, props?: Record<string, string>): void {
    const values = Object.values(props ?? {});
    if (!NAME.test(name) || values.some((value) => typeof value !== "string"))
      throw new SDKError(`The event ${JSON.stringify(name)} can't be sent.`, "INVALID_CONFIG");
    this.#analytics?.add({ name, at: Date.now(), ...(props && { props }) });
  }

  /**
   * Called once a second while the page is seen, and on every change; for frameworks.
   *
   * @returns what stops it
   */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Takes everything of the SDK off the page. The session goes on. */
  destroy(): void {
    if (this.#aborter.signal.aborted) return;
    this.#session?.leave();
    this.#analytics?.leave();
    this.#aborter.abort();
    for (const undo of this.#undo.splice(0)) undo();
    this.#listeners.clear();
    for (const event of Object.keys(this.#handlers)) delete this.#handlers[event as keyof SDKEvents];
  }

  async #open(): Promise<SessionData> {
    const config = this.#config;
    const claims = window as unknown as Record<symbol, Claim | undefined>;
    const gate = claims[KEY];
    const token = this.#token();
    if (!token && !gate) throw new SDKError("The address holds no session token.", "MISSING_TOKEN");
    const firstFetch = gate?.fetch ?? window.fetch;
    const fetch = withBreaker((input, init) => firstFetch.call(window, input, init), clock);
    this.#claims = token ? decodeToken(token) : undefined;
    this.#userId = this.#claims?.sub ?? "";
    const serverClock = createServerClock(clock);
    const store = createStore(() => localStorage);
    const remote =
      token &&
      this.#claims &&
      backendFetch({
        fetch,
        endpoint: config.apiEndpoint.replace(/\/+$/, ""),
        token,
        claims: this.#claims,
        signal: this.#aborter.signal,
      });
    const base = remote ? BACKEND_BASE : GATE_PREFIX;
    const call = remote || fetch;
    const plain = createApi({
      fetch: call,
      // No beacon carries the token; a request that outlives the page does.
      sendBeacon: (url, body) => {
        if (!remote) return navigator.sendBeacon(url, body);
        void remote(url, { body, keepalive: true }).catch(() => {});
        return true;
      },
      serverClock,
      base,
      ...(config.timeoutMs && { timeoutMs: config.timeoutMs }),
    });
    const { warningThresholdSeconds: threshold } = config;
    const api: typeof plain = {
      ...plain,
      async session() {
        const answer = await plain.session();
        if (threshold) answer.session.warning_seconds = [threshold];
        return answer;
      },
      async heartbeat(body) {
        try {
          const answer = await plain.heartbeat(body);
          this_.#beats = 0;
          this_.#emit("onHeartbeat", { failures: 0 });
          return answer;
        } catch (error) {
          this_.#emit("onHeartbeat", { failures: ++this_.#beats, error: sdkError(error) });
          throw error;
        }
      },
    };
    const this_ = this;
    const { random } = Math;
    this.#session?.leave();
    const session = createSession({
      api,
      clock,
      serverClock,
      random,
      store,
      locks: navigator.locks,
      channel: (name) => (typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name)),
      ...(config.heartbeatIntervalMs && { heartbeatMs: config.heartbeatIntervalMs }),
    });
    this.#session = session;
    this.#actions = createActions({ api, session, clock, random, newKey });
    if (config.analytics !== false)
      this.#analytics ??= createAnalytics({
        clock,
        random,
        newKey,
        send: async (events, key) => {
          const response = await call(`${base}events`, {
            method: "POST",
            headers: { "Content-Type": "application/json", "Idempotency-Key": key },
            body: JSON.stringify({ events }),
          });
          if (!response.ok) throw new GateError("refused", {}, response.status);
        },
        farewell: (events, key) =>
          void call(`${base}events`, {
            method: "POST",
            headers: { "Content-Type": "application/json", "Idempotency-Key": key },
            body: JSON.stringify({ events }),
            keepalive: true,
          }).catch(() => {}),
      });

    await this.#first(session, api);
    // One timer on a page: whoever comes first shows it.
    const shownElsewhere = !!gate?.session;
    if (!gate) Object.defineProperty(window, KEY, { value: { session }, configurable: true });
    else gate.session ??= session;
    this.#undo.push(() => {
      if (claims[KEY]?.session !== session) return;
      if (gate) delete gate.session;
      else Reflect.deleteProperty(window, KEY);
    });
    this.#follow(session);
    if (config.ui !== false && !shownElsewhere) {
      this.#mount = () => this.#show(session, api, store);
      // Without its picture the session goes on.
      if (config.autoStart !== false)
        await this.#mount().catch((error: unknown) => this.#emit("onError", sdkError(error)));
    }
    const data = this.getSessionData();
    if (!data) throw new SDKError("The session ended while it was opened.", "SESSION_EXPIRED");
    return data;
  }

  /** The first question: refusals are answers, anything else is asked again. */
  async #first(session: Session, api: { session(): ReturnType<ReturnType<typeof createApi>["session"]> }) {
    for (let tries = 1; ; tries++) {
      try {
        await session.carryOut(() => api.session());
        break;
      } catch (error) {
        const { status = 0, code } = error as GateError;
        if (
          tries === TRIES ||
          (status >= 400 && status < 500 && status !== 429) ||
          this.#aborter.signal.aborted
        ) {
          this.#log("the session could not be read", code);
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 500 * tries * (0.5 + Math.random())));
      }
    }
    const state = session.state();
    if (state.phase === "ended") throw sdkError(new GateError(`session_${state.reason}`, {}, 401));
    if (!("view" in state)) throw sdkError(new GateError("session_missing", {}, 401));
  }

  /** Makes the session follow the page, and the handlers the session. */
  #follow(session: Session) {
    const listen = follow(session);
    const update = () => this.#update(session);
    const hidden = () => void this.#visibility();
    const leave = () => this.#analytics?.leave();
    const online = () => void this.#analytics?.flush();
    const forget = session.subscribe(update);
    listen();
    document.addEventListener("visibilitychange", hidden);
    addEventListener("pagehide", leave);
    addEventListener("online", online);
    this.#undo.push(forget, () => {
      listen(true);
      document.removeEventListener("visibilitychange", hidden);
      removeEventListener("pagehide", leave);
      removeEventListener("online", online);
    });
    update();
  }

  #update(session: Session) {
    const state = session.state();
    const before = this.#view;
    if ("view" in state) this.#view = state.view;
    const { phase } = state;
    const last = this.#phase;
    this.#phase = phase;
    const data = this.getSessionData();
    if (last === "loading" && data && phase !== "loading" && phase !== "ended") {
      this.#emit("onSessionStart", data);
      this.#note("session.start");
    } else if (data && phase !== last) {
      if (phase === "paused") this.#emit("onPause", data);
      if (phase === "active") this.#emit("onResume", data);
    }
    if (
      phase === "active" &&
      last === "active" &&
      before &&
      data &&
      state.view.expires_at > before.expires_at
    ) {
      const additionalSeconds = state.view.expires_at - before.expires_at;
      this.#warned = Number.POSITIVE_INFINITY;
      this.#emit("onExtend", { additionalSeconds, session: data });
      this.#note("session.extend", { seconds: `${additionalSeconds}` });
    }
    if (phase === "active") this.#warn(state.view);
    if (phase === "ended" && last !== "ended") {
      this.#note("session.end", { reason: state.reason });
      void this.#analytics?.flush();
      try {
        sessionStorage.removeItem(STORED);
      } catch {}
      this.#emit("onSessionEnd", { reason: state.reason });
      if (!this.#mounted) this.#goBack();
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #warn({ warning_seconds, duration_limit_seconds }: SessionView) {
    const remainingSeconds = this.getRemainingTime();
    const reached = reachedThreshold(
      warningThresholds(warning_seconds, duration_limit_seconds),
      remainingSeconds,
    );
    if (!reached || reached >= this.#warned || !remainingSeconds) return;
    this.#warned = reached;
    this.#emit("onSessionWarning", { remainingSeconds });
    this.#note("session.warning", { seconds: `${reached}` });
  }

  async #visibility() {
    const hidden = document.visibilityState === "hidden";
    this.#emit("onVisibility", { hidden });
    if (!this.#config.pauseWhenHidden) return;
    try {
      if (hidden && this.#phase === "active") {
        this.#pausedByUs = true;
        await this.pauseTimer();
      } else if (!hidden && this.#pausedByUs) {
        this.#pausedByUs = false;
        await this.resumeTimer();
      }
    } catch (error) {
      this.#pausedByUs = false;
      this.#emit("onError", sdkError(error));
    }
  }

  async #show(
    session: Session,
    api: ReturnType<typeof createApi>,
    store: ReturnType<typeof createStore>,
  ): Promise<void> {
    this.#mounted = true;
    const { language, customStyles, redirect } = this.#config;
    const wanted = [language || document.documentElement.lang || navigator.language, ...navigator.languages];
    const { createTimer, laterParts, stringsFor, themeOf } = await import("./ui");
    // A language that can't be loaded leaves English, which is there.
    const strings = await stringsFor(wanted).catch(() => stringsFor([]));
    if (this.#aborter.signal.aborted) return;
    const remove = createTimer({
      doc: document,
      session,
      api,
      clock,
      random: Math.random,
      store,
      strings,
      parts: laterParts,
      css: themeOf(customStyles),
      onReplaced: () => void this.#show(session, api, store),
      go: (address) => redirect !== false && location.assign(address),
      beforeEnd: (reason) => this.#beforeEnd(reason),
    });
    this.#undo.push(remove);
  }

  #token(): string | undefined {
    const url = new URL(location.href);
    const { token, tokenStorage, callbackDomain: domain } = this.#config;
    let found = token ?? url.searchParams.get(PARAM) ?? this.#kept;
    if (url.searchParams.has(PARAM)) {
      // By hand: URLSearchParams would respell the page's own parameters.
      url.search = url.search.replace(/([?&])session=[^&]*(&?)/, (_, first, next) => (next ? first : ""));
      history.replaceState(history.state, "", url);
    }
    this.#kept = found;
    if (found && domain && location.hostname !== domain && !location.hostname.endsWith(`.${domain}`))
      throw new SDKError(`The SDK is set up for ${domain}.`, "INVALID_CONFIG");
    if (tokenStorage === "session")
      try {
        if (found) sessionStorage.setItem(STORED, found);
        else found = sessionStorage.getItem(STORED) ?? undefined;
      } catch {}
    return found;
  }

  #need(): ReturnType<typeof createActions> {
    if (!this.#actions || !this.#view)
      throw new SDKError(
        "Call initialize() first.",
        this.#aborter.signal.aborted ? "DESTROYED" : "NOT_INITIALIZED",
      );
    return this.#actions;
  }

  async #act(act: (actions: ReturnType<typeof createActions>) => Promise<void>): Promise<void> {
    try {
      await act(this.#need());
    } catch (error) {
      throw sdkError(error);
    }
  }

  /** Settles when the app has saved its work, or has had its time. */
  async #beforeEnd(reason: "user" | "deadline"): Promise<void> {
    try {
      const enough = new Promise((resolve) => setTimeout(resolve, SAVING_MS));
      await Promise.race([this.#config.onBeforeEnd?.(reason), enough]);
    } catch (error) {
      this.#log("onBeforeEnd failed", error);
    }
  }

  #goBack() {
    const address = returnAddress(this.#view?.return_url, this.#view?.id);
    if (address && this.#config.redirect !== false) location.assign(address);
  }

  #emit<E extends keyof SDKEvents>(event: E, ...data: Parameters<SDKEvents[E]>) {
    this.#log(event, ...data);
    const own = this.#config[event];
    const all = [...(own ? [own] : []), ...((this.#handlers[event] as Set<SDKEvents[E]> | undefined) ?? [])];
    for (const handler of all)
      try {
        (handler as (...data: Parameters<SDKEvents[E]>) => void)(...data);
      } catch (error) {
        // A handler that throws is its author's to mend, and no reason to stop.
        reportError(error);
      }
  }

  #note(name: string, props?: Record<string, string>) {
    this.#analytics?.add({ name, at: Date.now(), ...(props && { props }) });
  }

  #log(...words: unknown[]) {
    if (this.#config.debug) console.debug("[sessiongate]", ...words);
  }
}

/** 128 random bits. Not randomUUID, which plain HTTP pages don't have. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
