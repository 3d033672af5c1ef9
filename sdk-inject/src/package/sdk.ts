import type { Actions } from "../actions";
import { bindToPage } from "../browser";
import { GateError } from "../errors";
import { formatClock, returnAddress } from "../format";
import { forgetToken, takeToken } from "./address";
import type { createAnalytics } from "./analytics";
import type { SDKConfig, SDKEvents, SessionData } from "./config";
import { type Connection, connect } from "./connection";
import { SDKError, sdkError } from "./errors";
import { createEvents, type Events } from "./events";
import { openSession } from "./open";
import { createSessionEvents, type SessionEvents } from "./session-events";
import { show } from "./show";
import { decodeToken } from "./token";
import { watchVisibility } from "./visibility";

/** The property of window through which boot.js, sdk.js and this package find each other. */
const KEY = Symbol.for("sessiongate");
const SAVING_MS = 5_000;
const NAME = /^[a-z0-9_.]{1,64}$/;

interface Claim {
  fetch?: typeof fetch;
  /** The session whose timer the page shows. */
  session?: unknown;
}

/**
 * A timed session in a web app: opens it, shows its clock, keeps it in sync, and ends it.
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
  readonly #events: Events;
  readonly #listeners = new Set<() => void>();
  readonly #aborter = new AbortController();
  readonly #undo: (() => void)[] = [];
  #opening: Promise<SessionData> | undefined;
  #connection: Connection | undefined;
  #sessionEvents: SessionEvents | undefined;
  #analytics: ReturnType<typeof createAnalytics> | undefined;
  /** The token from the URL. Kept in memory only. */
  #kept: string | undefined;
  #mount: (() => Promise<void>) | undefined;
  #mounted = false;

  /** @throws {@link SDKError} `INVALID_CONFIG` */
  constructor(config: SDKConfig) {
    const { apiEndpoint } = config;
    if (apiEndpoint && !/^https:\/\/|^http:\/\/(localhost|127\.|\[::1\])/.test(apiEndpoint))
      throw new SDKError("apiEndpoint must be an https URL, or an http URL on localhost.", "INVALID_CONFIG");
    this.#config = config;
    this.#events = createEvents(config);
  }

  /**
   * Adds a handler for an event.
   *
   * @returns a function that removes the handler
   */
  on<E extends keyof SDKEvents>(event: E, handler: SDKEvents[E]): () => void {
    return this.#events.on(event, handler);
  }

  /**
   * Takes the launch token from the page's URL, validates it with the server, and shows the
   * timer. Behind the gate, which has already taken the token, it joins the gate's session.
   * Further calls return the same promise.
   *
   * @returns the session
   * @throws {@link SDKError} if there is no session, or if the server cannot be reached after
   * three attempts. You can then call it again: the SDK has kept the token
   */
  initialize(): Promise<SessionData> {
    if (this.#aborter.signal.aborted)
      return Promise.reject(new SDKError("The SDK was destroyed.", "DESTROYED"));
    this.#opening ??= this.#open().catch((error: unknown) => {
      const failure = sdkError(error);
      this.#events.log("could not open the session", failure.code);
      this.#events.emit("onError", failure);
      this.#opening = undefined;
      throw failure;
    });
    return this.#opening;
  }

  /**
   * Shows the timer if `autoStart` is false. This does not affect the paid clock, which runs
   * on the server.
   *
   * @throws {@link SDKError} `NOT_INITIALIZED`
   */
  startTimer(): void {
    this.#need();
    void this.#show();
  }

  /**
   * Asks the server to stop the paid clock.
   *
   * @throws {@link SDKError} `PAUSE_NOT_ALLOWED` or another code; the clock then keeps running
   */
  pauseTimer(): Promise<void> {
    return this.#act((actions) => actions.pause());
  }

  /**
   * Asks the server to resume the paid clock.
   *
   * @throws {@link SDKError}
   */
  resumeTimer(): Promise<void> {
    return this.#act((actions) => actions.resume());
  }

  /**
   * Buys more time, within the offer that the marketplace made when it sold the session.
   *
   * @throws {@link SDKError} `CONSENT_REQUIRED` (with `consentUrl`) if the offer does not
   * cover it, `INSUFFICIENT_TOKENS`, or another code
   */
  extend(): Promise<void> {
    return this.#act((actions) => {
      const offer = this.#sessionEvents?.view()?.extension;
      if (!offer) throw new GateError("consent_required", {}, 403);
      return actions.extend(offer);
    });
  }

  /**
   * Lets the app save its work (`onBeforeEnd`), ends the session permanently, and returns the
   * user to the marketplace.
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
    return this.#sessionEvents?.data() ?? null;
  }

  /** The whole seconds left by the server's clock; 0 if there is no session. */
  getRemainingTime(): number {
    return Math.ceil(this.#left() / 1000);
  }

  /** The remaining time as the timer shows it: `9:42`, `1:02:09`. */
  getFormattedTime(): string {
    return formatClock(this.#left());
  }

  /**
   * Records an event for the provider's analytics. Events are sent in batches. Do not include personal data.
   *
   * @param name - at most 64 lower-case letters, digits, `_` and `.`
   * @throws {@link SDKError} `INVALID_CONFIG` if the name or a value is invalid
   */
  track(name: string, props?: Record<string, string>): void {
    const values = Object.values(props ?? {});
    if (!NAME.test(name) || values.some((value) => typeof value !== "string"))
      throw new SDKError(`Invalid name or value in the event ${JSON.stringify(name)}.`, "INVALID_CONFIG");
    this.#trackEvent(name, props);
  }

  /**
   * Calls the listener once a second while the page is visible, and on every change. Meant for
   * framework bindings.
   *
   * @returns a function that removes the listener
   */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Removes the SDK from the page. The session continues. */
  destroy(): void {
    if (this.#aborter.signal.aborted) return;
    this.#connection?.session.leave();
    this.#analytics?.leave();
    this.#aborter.abort();
    for (const undo of this.#undo.splice(0)) undo();
    this.#listeners.clear();
    this.#events.clear();
  }

  async #open(): Promise<SessionData> {
    const config = this.#config;
    const claims = window as unknown as Record<symbol, Claim | undefined>;
    const gate = claims[KEY];
    const token = takeToken(config, this.#kept);
    this.#kept = token;
    if (!token && !gate) throw new SDKError("The page's URL contains no session token.", "MISSING_TOKEN");
    const tokenClaims = token ? decodeToken(token) : undefined;
    this.#connection?.session.leave();
    const connection = connect({
      config,
      events: this.#events,
      fetch: gate?.fetch ?? window.fetch,
      token,
      claims: tokenClaims,
      signal: this.#aborter.signal,
    });
    this.#connection = connection;
    const { session, api } = connection;
    const view = await openSession(session, api, this.#aborter.signal);
    if (config.analytics !== false) this.#analytics ??= connection.analytics(view.id);
    // A page shows one timer: that of the first SDK on it.
    const shownElsewhere = !!gate?.session;
    if (!gate) Object.defineProperty(window, KEY, { value: { session }, configurable: true });
    else gate.session ??= session;
    this.#undo.push(() => {
      if (claims[KEY]?.session !== session) return;
      if (gate) delete gate.session;
      else Reflect.deleteProperty(window, KEY);
    });
    this.#bindToPage(connection, tokenClaims?.sub ?? "");
    if (config.ui !== false && !shownElsewhere) {
      this.#mount = () =>
        show(
          config,
          connection,
          (reason) => this.#beforeEnd(reason),
          (remove) => (this.#aborter.signal.aborted ? remove() : this.#undo.push(remove)),
        );
      if (config.autoStart !== false) await this.#show();
    }
    const data = this.getSessionData();
    if (!data) throw new SDKError("The session ended while it was being opened.", "SESSION_EXPIRED");
    return data;
  }

  /** Connects the session to the page's events, and the handlers to the session. */
  #bindToPage({ session, actions }: Connection, userId: string) {
    const sessionEvents = createSessionEvents({
      session,
      userId,
      emit: this.#events.emit,
      trackEvent: (name, props) => this.#trackEvent(name, props),
    });
    this.#sessionEvents = sessionEvents;
    const update = () => {
      const before = sessionEvents.phase();
      sessionEvents.update();
      if (sessionEvents.phase() === "ended" && before !== "ended") {
        void this.#analytics?.flush();
        forgetToken();
        if (!this.#mounted) this.#goBack();
      }
      for (const listener of [...this.#listeners]) listener();
    };
    const listen = bindToPage(session);
    const leave = () => this.#analytics?.leave();
    const online = () => void this.#analytics?.flush();
    const forget = session.subscribe(update);
    listen();
    addEventListener("pagehide", leave);
    addEventListener("online", online);
    this.#undo.push(forget, watchVisibility(this.#config, this.#events, sessionEvents, actions), () => {
      listen(true);
      removeEventListener("pagehide", leave);
      removeEventListener("online", online);
    });
    update();
  }

  /** If the timer cannot be shown, the session continues without it. */
  async #show(): Promise<void> {
    if (this.#mounted || !this.#mount) return;
    this.#mounted = true;
    await this.#mount().catch((error: unknown) => this.#events.emit("onError", sdkError(error)));
  }

  #left(): number {
    return this.#connection?.session.remaining() ?? 0;
  }

  #need(): Actions {
    if (!this.#connection || !this.#sessionEvents?.view())
      throw new SDKError(
        "Call initialize() first.",
        this.#aborter.signal.aborted ? "DESTROYED" : "NOT_INITIALIZED",
      );
    return this.#connection.actions;
  }

  async #act(act: (actions: Actions) => Promise<void>): Promise<void> {
    try {
      await act(this.#need());
    } catch (error) {
      throw sdkError(error);
    }
  }

  /** Settles when the app has saved its work, or when its time to do so is over. */
  async #beforeEnd(reason: "user" | "deadline"): Promise<void> {
    try {
      const enough = new Promise((resolve) => setTimeout(resolve, SAVING_MS));
      await Promise.race([this.#config.onBeforeEnd?.(reason), enough]);
    } catch (error) {
      this.#events.log("onBeforeEnd failed", error);
    }
  }

  #goBack() {
    const view = this.#sessionEvents?.view();
    const address = returnAddress(view?.return_url, view?.id);
    if (address && this.#config.redirect !== false) location.assign(address);
  }

  #trackEvent(name: string, props?: Record<string, string>) {
    this.#analytics?.add({ name, at: Date.now(), ...(props && { props }) });
  }
}
