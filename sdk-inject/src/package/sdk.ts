import type { Actions } from "../actions";
import { bindToPage } from "../browser";
import { GateError } from "../errors";
import { formatClock, returnAddress } from "../format";
import { type Opened as Holder, openAccess } from "./access";
import type { Act } from "./acting";
import { forgetToken } from "./address";
import { BACKEND_BASE } from "./backend";
import { type CallOptions, shared } from "./cancel";
import { loadFailed, sdkError } from "./causes";
import { checkConfig } from "./check-config";
import type { SDKConfig, SDKEvents, SessionData } from "./config";
import { type Connection, type ConnectionEffects, connect } from "./connection";
import { failure, type SDKError } from "./errors";
import { createEvents, type Events } from "./events";
import { openSession } from "./open";
import { pageRecord, takePlace } from "./page";
import { clock } from "./platform";
import type { Reporting } from "./reporting";
import type { SessionEvents } from "./session-events";
import { either, pause } from "./signals";
import { outside, presentZone } from "./zone";

type Opened = typeof import("./opened");

const SAVING_MS = 5_000;
const NAME = /^[a-z0-9_.]{1,64}$/;

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
  /** Opens the session. The result is kept. */
  readonly #opening = shared((signal) => outside(() => this.#tryOpening(signal)), true);
  readonly #pausing = this.#action((actions) => actions.pause());
  readonly #resuming = this.#action((actions) => actions.resume());
  readonly #extending = this.#action((actions) => {
    const offer = this.#sessionEvents?.view()?.extension;
    if (!offer) throw new GateError("consent_required", {}, 403);
    return actions.extend(offer);
  });
  readonly #ending = this.#action(async (actions, signal) => {
    await this.#beforeEnd("user", signal);
    if (!signal.aborted) await actions.end();
    if (!signal.aborted) this.#goBack();
  });
  #connection: Connection | undefined;
  #newActing: (() => Act) | undefined;
  #sessionEvents: SessionEvents | undefined;
  readonly #zone = presentZone();
  #analytics: Reporting | undefined;
  #mount: (() => Promise<void>) | undefined;
  #mounted = false;
  #watching: Promise<void> | undefined;

  /** @throws {@link SDKError} `INVALID_CONFIG` */
  constructor(config: SDKConfig) {
    checkConfig(config);
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
   * Takes the launch token from the page's URL, redeems it at the server, and shows the
   * timer. Behind the gate, which has already taken the token, it joins the gate's session.
   * Further calls wait for the same session. The access that the token gives is kept for the life
   * of the page: another instance, or the same component mounted again, opens the same session.
   *
   * After its signal was aborted, a call can be repeated: the SDK has kept the token.
   *
   * @returns the session
   * @throws {@link SDKError} if there is no session, or if the server cannot be reached after
   * three attempts. You can then call it again: the SDK has kept the token
   */
  initialize(options?: CallOptions): Promise<SessionData> {
    if (this.#aborter.signal.aborted) return Promise.reject(failure("The SDK was destroyed.", "DESTROYED"));
    return this.#opening(options);
  }

  /**
   * Shows the timer if `autoStart` is false. This does not affect the paid clock, which runs
   * on the server.
   *
   * @throws {@link SDKError} `NOT_INITIALIZED`
   */
  startTimer(): void {
    this.#need();
    void outside(() => this.#show());
  }

  /**
   * Asks the server to stop the paid clock. Calls that overlap share one request. If the signal is
   * aborted after the request was sent, the server may still carry it out; the SDK then fetches the state.
   * The same holds for {@link MarketplaceSDK.resumeTimer}, `extend` and `endSession`.
   *
   * @throws {@link SDKError} `PAUSE_NOT_ALLOWED` or another code; the clock then keeps running
   */
  pauseTimer(options?: CallOptions): Promise<void> {
    return this.#pausing(options);
  }

  /**
   * Asks the server to resume the paid clock.
   *
   * @throws {@link SDKError}
   */
  resumeTimer(options?: CallOptions): Promise<void> {
    return this.#resuming(options);
  }

  /**
   * Buys more time, within the offer that the marketplace made when it sold the session. An extension
   * whose outcome is unknown, also because its signal was aborted, is not charged twice: the next call
   * for the same offer repeats the same purchase.
   *
   * @throws {@link SDKError} `CONSENT_REQUIRED` (with `consentUrl`) if the offer does not
   * cover it, `INSUFFICIENT_TOKENS`, or another code
   */
  extend(options?: CallOptions): Promise<void> {
    return this.#extending(options);
  }

  /**
   * Lets the app save its work (`onBeforeEnd`), ends the session permanently, and returns the
   * user to the marketplace.
   *
   * @throws {@link SDKError}
   */
  endSession(options?: CallOptions): Promise<void> {
    return this.#ending(options);
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
      throw failure(`Invalid name or value in the event ${JSON.stringify(name)}.`, "INVALID_CONFIG");
    this.#trackEvent(name, props);
  }

  /**
   * Calls the listener once a second while the page is visible, and on every change. Meant for
   * framework bindings.
   *
   * @returns a function that removes the listener
   */
  subscribe(listener: () => void): () => void {
    const zone = presentZone();
    const own = () => zone(listener);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Removes the SDK from the page. The session continues. */
  destroy(): void {
    if (this.#aborter.signal.aborted) return;
    this.#connection?.session.leave();
    this.#analytics?.leave();
    this.#aborter.abort();
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.#listeners.clear();
    this.#events.clear();
  }

  async #tryOpening(given: AbortSignal): Promise<SessionData> {
    this.#watching ??= this.#watchErrors()?.catch(() => {});
    try {
      return await this.#open(given);
    } catch (error) {
      const failed = sdkError(error);
      if (!given.aborted) {
        // What reports this error may still be loading.
        if (this.#watching) await this.#watching;
        this.#events.log("could not open the session", failed.code);
        this.#events.emit("onError", failed);
      }
      throw failed;
    }
  }

  /** `given` is aborted when all callers have given up. It has no effect once the session is open. */
  async #open(given: AbortSignal): Promise<SessionData> {
    const config = this.#config;
    const { signal } = this.#aborter;
    const opening = new AbortController();
    const giveUp = () => opening.abort();
    given.addEventListener("abort", giveUp);
    const life = either(signal, opening.signal);
    const page = pageRecord();
    const holder: Holder = {};
    const access = openAccess(config, page, holder);
    const hooked = await this.#hooks(holder);
    this.#connection?.session.leave();
    const connection = connect({
      config,
      events: this.#events,
      fetch: page.fetch ?? window.fetch,
      access,
      hooked,
      signal: life,
    });
    this.#connection = connection;
    const { session, api } = connection;
    const loading = import("./opened").catch((error: unknown) => {
      throw loadFailed(error);
    });
    const [opened, view] = await Promise.all([loading, openSession(session, api, life)]);
    if (signal.aborted) throw failure("The SDK was destroyed.", "DESTROYED");
    given.throwIfAborted();
    given.removeEventListener("abort", giveUp);
    this.#newActing = () => opened.createActing(connection.effects);
    if (config.analytics !== false)
      this.#analytics ??= opened.createReporting({ ...connection.effects, id: view.id });
    this.#bindToPage(opened, connection, opened.createActions(connection.effects), access?.claims.sub ?? "");
    // Behind the gate, an app that renders its own timer also takes the place of the gate's.
    if (config.ui !== false || page.fetch) {
      let showing: Promise<void> | undefined;
      const mount = () => {
        if (config.ui === false) return;
        this.#mount = () =>
          opened.show(
            config,
            connection,
            (reason) => this.#beforeEnd(reason),
            (remove) => (signal.aborted ? remove() : this.#undo.push(remove)),
          );
        if (config.autoStart !== false) showing = this.#show();
      };
      this.#undo.push(takePlace(page, session, mount));
      await showing;
    }
    const data = this.getSessionData();
    if (!data) throw failure("The session ended while it was being opened.", "SESSION_EXPIRED");
    return data;
  }

  /** Loads what puts the configured hooks around requests. */
  async #hooks({ getToken: token }: Holder): Promise<ConnectionEffects["hooked"]> {
    const { hooks, apiEndpoint } = this.#config;
    if (!hooks) return;
    const { withHooks } = await import("./hooks").catch((error: unknown) => {
      throw loadFailed(error);
    });
    return (fetch, base) => {
      const origin = base === BACKEND_BASE ? new URL(apiEndpoint, location.href).origin : location.origin;
      return withHooks({ hooks, fetch, base, origin, token, clock, onError: (error) => this.#fail(error) });
    };
  }

  /** Starts the reports of errors. They are no reason for the session to fail. */
  #watchErrors(): Promise<void> | undefined {
    const { telemetry } = this.#config;
    if (!telemetry) return undefined;
    return import("./watch-errors").then(({ watchErrors }) => {
      if (!this.#aborter.signal.aborted) this.#undo.push(watchErrors(telemetry, this.#events, clock));
    });
  }

  /** Connects the session to the page's events, and the handlers to the session. */
  #bindToPage(opened: Opened, connection: Connection, actions: Actions, userId: string) {
    const { session } = connection;
    const sessionEvents = opened.createSessionEvents({
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
        const { session: shown } = pageRecord();
        if (!this.#mounted && (!shown || shown === session)) this.#goBack();
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
    this.#undo.push(forget, opened.watchVisibility(this.#config, this.#events, connection, actions), () => {
      listen(true);
      removeEventListener("pagehide", leave);
      removeEventListener("online", online);
    });
    update();
  }

  /** If the timer cannot be shown, the session continues without it. startTimer() tries again. */
  async #show(): Promise<void> {
    if (this.#mounted || !this.#mount) return;
    this.#mounted = true;
    try {
      await this.#mount();
    } catch (error) {
      this.#mounted = false;
      this.#fail(loadFailed(error));
    }
  }

  #fail(error: SDKError): undefined {
    this.#events.emit("onError", error);
  }

  #left(): number {
    return this.#connection?.session.remaining() ?? 0;
  }

  #need(): () => Act {
    if (!this.#newActing || !this.#sessionEvents?.view())
      throw failure(
        "Call initialize() first.",
        this.#aborter.signal.aborted ? "DESTROYED" : "NOT_INITIALIZED",
      );
    return this.#newActing;
  }

  /** An action that its callers share, and that keeps its idempotency key until its outcome is known. */
  #action(act: (actions: Actions, signal: AbortSignal) => Promise<void>) {
    let acting: Act | undefined;
    return shared(async (signal) => {
      try {
        const create = this.#need();
        acting ??= create();
        await acting((actions) => act(actions, signal), signal);
      } catch (error) {
        throw sdkError(error);
      }
    });
  }

  /** Settles when the app has saved its work, or when its time to do so is over. */
  async #beforeEnd(reason: "user" | "deadline", signal = this.#aborter.signal): Promise<void> {
    const saved = new AbortController();
    try {
      await Promise.race([
        this.#zone(() => this.#config.onBeforeEnd?.(reason)),
        pause(clock, SAVING_MS, either(signal, saved.signal)),
      ]);
    } catch (error) {
      this.#events.log("onBeforeEnd failed", error);
    }
    saved.abort();
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
