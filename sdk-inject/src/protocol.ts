/**
 * The gate's same-origin API as scripts see it. A test of internal/protocol holds this
 * file to that package: interfaces, unions and constants, and no other declarations.
 */

/** Where a session stands in its life. The last four never change again. */
export type Status = "pending" | "active" | "paused" | "completed" | "expired" | "revoked" | "canceled";

/** What a session is for. Only live sessions are paid. */
export type Mode = "live" | "test" | "staff" | "preview";

/** `full`: all tokens, however early it ends. `prorated`: each started second; the rest is released. */
export type SettlementPolicy = "full" | "prorated";

/** How much more a user may buy from inside the page. */
export interface Extension {
  additional_seconds: number;
  tokens: number;
  max_count: number;
  used?: number;
}

/** What the provider's policy lets a user pause. */
export interface PauseRight {
  max_count: number;
  max_seconds: number;
  used?: number;
}

/** A session as its page may see it. Times are Unix seconds. */
export interface SessionView {
  id: string;
  provider_id: string;
  /** Missing: live. */
  mode?: Mode;
  status: Status;
  /** Grows with every change, so that a late answer never replaces a newer one. */
  version: number;
  expires_at: number;
  paused_at?: number;
  /** Why the clock stands still: the app cannot be used. The user cannot resume it. */
  standstill?: string;
  duration_limit_seconds: number;
  tokens_allocated: number;
  return_url: string;
  /** What is charged for a session that ends early. Unknown if an older service sold it. */
  settlement_policy?: SettlementPolicy;
  warning_seconds?: number[];
  extension?: Extension;
  pause?: PauseRight;
}

export interface SessionAnswer {
  session: SessionView;
  server_time_ms: number;
  /** How the provider wants its clock. */
  site?: SessionSite;
}

/** What a provider decides about the clock on its pages. */
export interface SessionSite {
  app_name?: string;
  support_url?: string;
  /** #rrggbb */
  accent?: string;
  clock?: SiteClock;
}

/** How the clock looks at first. */
export interface SiteClock {
  /** bottom-right, bottom-left, top-right or top-left. */
  position?: string;
  hidden?: boolean;
  collapsed?: boolean;
  /** By language, instead of the built-in ones. */
  texts?: Record<string, ClockTexts>;
}

export interface ClockTexts {
  warning?: string;
  ended?: string;
}

export interface HeartbeatAnswer {
  acknowledged: boolean;
  remaining_seconds: number;
  status: Status;
  version: number;
  expires_at: number;
  server_time_ms: number;
}

export interface HeartbeatRequest {
  timestamp: number;
  active: boolean;
}

export interface ExtendRequest {
  additional_seconds: number;
  tokens_to_deduct: number;
}

/** Why a call was refused. */
export type Code =
  | "session_missing"
  | "session_invalid"
  | "session_moved"
  | "session_expired"
  | "session_completed"
  | "session_revoked"
  | "session_canceled"
  | "session_paused"
  | "session_pending"
  | "launch_spent"
  | "another_session"
  | "launch_invalid"
  | "launch_expired"
  | "wrong_provider"
  | "backend_unavailable"
  | "cross_site"
  | "origin_unavailable"
  | "host_unknown"
  | "maintenance"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "invalid_request"
  | "insufficient_tokens"
  | "consent_required"
  | "idempotency_conflict"
  | "illegal_transition"
  | "pause_not_allowed"
  | "return_url_not_allowed"
  | "token_invalid"
  | "token_mismatch"
  | "already_exists"
  | "domain_not_proven"
  | "rate_limited"
  | "provider_full"
  | "limit_reached"
  | "too_large"
  | "unavailable"
  | "internal";

/** An error body (RFC 9457). `code` is the part that programs read. */
export interface Problem {
  type?: string;
  title: string;
  status: number;
  code: Code;
  /** For a person. */
  detail?: string;
  return_url?: string;
  consent_url?: string;
  session_id?: string;
}

/** What the gate answers below {@link GATE_PREFIX}. */
export type GatePath = "session" | "heartbeat" | "extend" | "pause" | "resume" | "end" | "events" | "enter";

export const GATE_PREFIX = "/.session-gate/";
