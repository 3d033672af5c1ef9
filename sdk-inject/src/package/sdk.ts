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

/** Under this every copy of ours on a page finds the others: boot.js, sdk.js, this package. */
const KEY = Symbol.for("sessiongate");
const SAVING_MS = 5_000;
const NAME = /^[a-z0-9_.]{1,64}$/;

interface Claim {
  fetch?: typeof fetch;
  /** Whoever shows the timer of this page. */
  session?: unknown;
}

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
  readonly #events: Events;
  readonly #listeners = new Set<() => void>();
  readonly #aborter = new AbortController();
  readonly #undo: (() => void)[] = [];
  #opening: Promise<SessionData> | undefined;
  #connection: Connection | undefined;
  #sessionEvents: SessionEvents | undefined;
  #analytics: ReturnType<typeof createAnalytics> | undefined;
  /** Out of the address, and in no storage. */
  #kept: string | undefined;
  #mount: (() => Promise<void>) | undefined;
  #mounted = false;

  /** @throws {@link SDKError} `INVALID_CONFIG` */
  constructor(config: SDKConfig) {
    const { apiEndpoint } = config;
    if (apiEndpoint && !/^https:\/\/|^http:\/\/(localhost|127\.|\[::1\])/.test(apiEndpoint))
      throw new SDKError("apiEndpoint must be https, or http on this machine.", "INVALID_CONFIG");
    this.#config = config;
    this.#events = createEvents(config);
  }

  /**
   * Listens to an event.
   *
   * @returns what stops listening
   */
  on<E extends keyof SDKEvents>(event: E, handler: SDKEvents[E]): () => void {
    return this.#events.on(event, handler);
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
      this.#events.log("could not open the session", told.code);
      this.#events.emit("onError", told);
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
    void this.#show();
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
      const offer = this.#sessionEvents?.view()?.extension;
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
    return this.#sessionEvents?.data() ?? null;
  }

  /** Whole seconds left, by the server's clock; 0 when there is no session. */
  getRemainingTime(): number {
    return Math.ceil(this.#left() / 1000);
  }

  /** What is left, as the timer shows it: `9:42`, `1:02:09`. */
  getFormattedTime(): string {
    return formatClock(this.#left());
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
    this.#trackEvent(name, props);
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
    if (!token && !gate) throw new SDKError("The address holds no session token.", "MISSING_TOKEN");
    const said = token ? decodeToken(token) : undefined;
    this.#connection?.session.leave();
    const connection = connect({
      config,
      events: this.#events,
      fetch: gate?.fetch ?? window.fetch,
      token,
      claims: said,
      signal: this.#aborter.signal,
    });
    this.#connection = connection;
    const { session, api } = connection;
    const view = await openSession(session, api, this.#aborter.signal);
    if (config.analytics !== false) this.#analytics ??= connection.analytics(view.id);
    // One timer on a page: whoever comes first shows it.
    const shownElsewhere = !!gate?.session;
    if (!gate) Object.defineProperty(window, KEY, { value: { session }, configurable: true });
    else gate.session ??= session;
    this.#undo.push(() => {
      if (claims[KEY]?.session !== session) return;
      if (gate) delete gate.session;
      else Reflect.deleteProperty(window, KEY);
    });
    this.#bindToPage(connection, said?.sub ?? "");
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
    if (!data) throw new SDKError("The session ended while it was opened.", "SESSION_EXPIRED");
    return data;
  }

  /** Binds the session to the page, and the handlers to the session. */
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

  /** Without its picture the session goes on. */
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

  /** Settles when the app has saved its work, or has had its time. */
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
