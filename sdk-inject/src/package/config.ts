import type { SDKError } from "./errors";
import type { TextsByLanguage } from "./texts-config";

/**
 * A session as the SDK reports it.
 *
 * @public
 */
export interface SessionData {
  /** The JWT's `jti`. */
  sessionId: string;
  /** Empty behind the gate, which does not disclose the user to the page. */
  userId: string;
  /** The provider of the app. */
  providerId: string;
  /** The tokens held for the session. */
  tokensAllocated: number;
  /** The time sold, including extensions. */
  durationSeconds: number;
  /** The deadline in Unix seconds, by the server's clock. Extensions and pauses move it. */
  expiresAt: number;
  /** The page to which the user returns at the end. */
  returnUrl: string;
  /** Whether the paid clock runs. */
  status: "active" | "paused" | "ended";
  /** The extension that was offered: its length, its price, and how many more can be bought. */
  extension?: { additionalSeconds: number; tokens: number; left: number };
  /** How many more pauses the provider's policy allows. */
  pause?: { left: number };
}

/**
 * The appearance of the timer and its dialogs. A page can also set each as a custom property:
 * `--sessiongate-background`, `-text`, `-primary`, `-radius`, `-font`.
 *
 * @public
 */
export interface ModalStyles {
  /** A CSS color. */
  backgroundColor: string;
  /** A CSS color. Keep 4.5:1 against the background. */
  textColor: string;
  /** A CSS color, for the ring and the button that extends the session. */
  primaryColor: string;
  /** A CSS length. */
  borderRadius: string;
  /** A CSS font-family. */
  fontFamily: string;
}

/**
 * The events of the SDK. Listen with {@link MarketplaceSDK.on}, or set handlers in {@link SDKConfig}.
 *
 * @public
 */
export interface SDKEvents {
  /** The session is open. */
  onSessionStart: (data: SessionData) => void;
  /** The remaining time has reached a warning threshold. Called once for each threshold. */
  onSessionWarning: (data: { remainingSeconds: number }) => void;
  /** The session ended: its time ran out, the user ended it, or it was ended elsewhere. */
  onSessionEnd: (data: { reason: string }) => void;
  /** An operation failed. Failed heartbeats are reported to `onHeartbeat`. */
  onError: (error: SDKError) => void;
  /** The paid clock was paused. */
  onPause: (data: SessionData) => void;
  /** The paid clock was resumed. */
  onResume: (data: SessionData) => void;
  /** The session was extended. */
  onExtend: (data: { additionalSeconds: number; session: SessionData }) => void;
  /** A heartbeat succeeded (`failures` is 0) or failed (`failures` is the number of failures in a row). */
  onHeartbeat: (data: { failures: number; error?: SDKError }) => void;
  /** The page was hidden, or became visible again. */
  onVisibility: (data: { hidden: boolean }) => void;
}

/**
 * Properties that may be missing or undefined, also under `exactOptionalPropertyTypes`.
 *
 * @public
 */
export type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/**
 * A request of the SDK, as {@link RequestHooks} see it.
 *
 * @public
 */
export interface SDKRequest {
  /** What the request is for: `session` opens the session or reads its state; `events` are analytics. */
  readonly operation: "session" | "heartbeat" | "extend" | "pause" | "resume" | "end" | "events";
  /** The HTTP method. */
  readonly method: string;
  /** Where it goes: the page's origin behind the gate, else that of the session service. */
  readonly origin: string;
  /** The request's headers, without the token. A hook can add some; it cannot change those of the SDK. */
  readonly headers: Headers;
  /** Returns the token of the session, a secret. Undefined behind the gate, and unless this SDK has redeemed it. */
  getToken(): string | undefined;
}

/**
 * The response to a request, without its body.
 *
 * @public
 */
export interface SDKResponse {
  /** The HTTP status. */
  readonly status: number;
  /** Whether the status is a success. */
  readonly ok: boolean;
  /** A copy of the headers that the browser shows. */
  readonly headers: Headers;
  /** How long the response took, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Functions that see each request of the SDK. An error of a hook is reported to `onError` as
 * `HOOK_FAILED`, and the request goes on.
 *
 * @public
 */
export interface RequestHooks {
  /** Before a request. Can add headers. The SDK waits at most 2 s for a promise. */
  beforeRequest?: ((request: SDKRequest) => void | Promise<void>) | undefined;
  /** After a response, also an error of the server. */
  afterResponse?: ((request: SDKRequest, response: SDKResponse) => void | Promise<void>) | undefined;
  /** There was no response. Not called for a request that was given up. */
  onRequestError?: ((request: SDKRequest, error: SDKError) => void | Promise<void>) | undefined;
}

/**
 * Where errors of the SDK are reported.
 *
 * @public
 */
export interface TelemetryConfig {
  /** A URL of your own that receives reports as POST requests: https, or http on localhost. */
  endpoint: string;
  /** The share of pages that report, from 0 to 1. Default: 1. */
  sampleRate?: number | undefined;
}

/**
 * The configuration of a {@link MarketplaceSDK}. It may include handlers of {@link SDKEvents}.
 *
 * @public
 */
export interface SDKConfig extends Optional<SDKEvents> {
  /** The URL of the session service: `https://api.marketplace.example`. Not used behind the gate. */
  apiEndpoint: string;
  /** The SDK accepts a token only on this host and its subdomains. Default: the page's host. */
  callbackDomain?: string | undefined;
  /** Logs to the console, never including tokens. Default: false. */
  debug?: boolean | undefined;
  /** Shows the timer when the session opens. Default: true. */
  autoStart?: boolean | undefined;
  /** When to warn, in seconds before the end. Default: as the session was sold, else 300 and 60. */
  warningThresholdSeconds?: number | undefined;
  /** The appearance of the timer. */
  customStyles?: Optional<ModalStyles> | undefined;
  /** Shows the timer and its dialogs. Set it to false to render your own. Default: true. */
  ui?: boolean | undefined;
  /** Returns the user to the marketplace at the end. Default: true. */
  redirect?: boolean | undefined;
  /** The language of the timer, as a BCP 47 tag. Default: the page's, else the browser's. */
  language?: string | undefined;
  /** The launch token, if it is not in the page's URL, or a session token that your server got for one. */
  token?: string | undefined;
  /** `session` stores the session token in sessionStorage, so that the session survives a reload. Every
   *  script on the page can read it there. Default: `memory`. */
  tokenStorage?: "memory" | "session" | undefined;
  /** The interval between heartbeats, in milliseconds. Default: 30 000. */
  heartbeatIntervalMs?: number | undefined;
  /** The timeout of one request, in milliseconds. Default: 10 000. */
  timeoutMs?: number | undefined;
  /** Pauses the session while the page is hidden, if the provider's policy allows it. Default: false. */
  pauseWhenHidden?: boolean | undefined;
  /** Sends session metrics and the events passed to {@link MarketplaceSDK.track}. Default: true. */
  analytics?: boolean | undefined;
  /** Functions that see each request. */
  hooks?: RequestHooks | undefined;
  /** Your own texts, by language, over the built-in ones. */
  texts?: TextsByLanguage | undefined;
  /** Reports errors of the SDK to a URL of your own. Default: off. Nothing is sent if the browser has
   *  Global Privacy Control. */
  telemetry?: TelemetryConfig | undefined;
  /** Saves the user's work. Called before the user ends the session, and 10 s before the
   *  deadline. The SDK waits at most 5 s for it. */
  onBeforeEnd?: ((reason: "user" | "deadline") => void | Promise<void>) | undefined;
}
