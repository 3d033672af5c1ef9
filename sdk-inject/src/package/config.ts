import type { SDKError } from "./errors";

/**
 * A session, as the spec names its parts.
 *
 * @public
 */
export interface SessionData {
  /** The JWT's `jti`. */
  sessionId: string;
  /** Empty behind the gate, which tells pages nothing of their user. */
  userId: string;
  /** Whose app it is. */
  providerId: string;
  /** What was set aside for it. */
  tokensAllocated: number;
  /** What was sold, with extensions. */
  durationSeconds: number;
  /** Unix seconds, by the server's clock. Moves with extensions and pauses. */
  expiresAt: number;
  /** Where the user goes at the end. */
  returnUrl: string;
  /** Whether the paid clock runs. */
  status: "active" | "paused" | "ended";
}

/**
 * How the timer and its dialogs look. Each is also a custom property that a page may set:
 * `--sessiongate-background`, `-text`, `-primary`, `-radius`, `-font`.
 *
 * @public
 */
export interface ModalStyles {
  /** A CSS colour. */
  backgroundColor: string;
  /** A CSS colour. Keep 4.5:1 against the background. */
  textColor: string;
  /** A CSS colour, of the ring and of the button that extends. */
  primaryColor: string;
  /** A CSS length. */
  borderRadius: string;
  /** A CSS font-family. */
  fontFamily: string;
}

/**
 * What one can listen to, by {@link MarketplaceSDK.on} or in {@link SDKConfig}.
 *
 * @public
 */
export interface SDKEvents {
  /** The session is open. */
  onSessionStart: (data: SessionData) => void;
  /** So many seconds are left; once for each threshold. */
  onSessionWarning: (data: { remainingSeconds: number }) => void;
  /** It is over: its time ran out, the user ended it, or it was ended elsewhere. */
  onSessionEnd: (data: { reason: string }) => void;
  /** Something failed. Heartbeats that fail now and then are told by `onHeartbeat`. */
  onError: (error: SDKError) => void;
  /** The paid clock stands still. */
  onPause: (data: SessionData) => void;
  /** The paid clock runs again. */
  onResume: (data: SessionData) => void;
  /** The deadline moved. */
  onExtend: (data: { additionalSeconds: number; session: SessionData }) => void;
  /** A sign of life was answered (`failures` 0), or not: how many in a row. */
  onHeartbeat: (data: { failures: number; error?: SDKError }) => void;
  /** The page was hidden or shown again. */
  onVisibility: (data: { hidden: boolean }) => void;
}

/**
 * How to set up a {@link MarketplaceSDK}. Handlers of {@link SDKEvents} may be given here, too.
 *
 * @public
 */
export interface SDKConfig extends Partial<SDKEvents> {
  /** The session service: `https://api.marketplace.example`. Not used behind the gate. */
  apiEndpoint: string;
  /** Only on this host (or below it) does the SDK accept a token. Default: the page's own. */
  callbackDomain?: string;
  /** Tells the console what happens. Never tells it tokens. Default: false. */
  debug?: boolean;
  /** Shows the timer as soon as the session is open. Default: true. */
  autoStart?: boolean;
  /** When to warn, in seconds before the end. Default: the marketplace's, else 300 and 60. */
  warningThresholdSeconds?: number;
  /** How the timer looks. */
  customStyles?: Partial<ModalStyles>;
  /** The timer and its dialogs; false to draw your own. Default: true. */
  ui?: boolean;
  /** Leads back to the marketplace at the end. Default: true. */
  redirect?: boolean;
  /** The language, as a BCP 47 tag. Default: the page's, else the browser's. */
  language?: string;
  /** The launch token, where it does not come in the page's address. */
  token?: string;
  /** `session` keeps the token in sessionStorage, so that a reload keeps the session; every
   *  script of the page can read it there. Default: `memory`. */
  tokenStorage?: "memory" | "session";
  /** Between signs of life, in milliseconds. Default: 30 000. */
  heartbeatIntervalMs?: number;
  /** How long one call may take, in milliseconds. Default: 10 000. */
  timeoutMs?: number;
  /** Asks the server to pause when the page is hidden, and to go on when it is seen. Default: false. */
  pauseWhenHidden?: boolean;
  /** Sends session metrics and what {@link MarketplaceSDK.track} is given. Default: true. */
  analytics?: boolean;
  /** Saves the user's work: called before the user ends the session, and 10 s before the
   *  deadline. Has 5 s. */
  onBeforeEnd?: (reason: "user" | "deadline") => void | Promise<void>;
}
