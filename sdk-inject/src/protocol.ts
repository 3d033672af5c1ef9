/**
 * The gate's same-origin API as scripts see it. Mirrors internal/protocol
 * (paths.go, browser.go, state.go, problem.go), which binds.
 */

/** Where a session stands in its life. The last four never change again. */
export type Status = "pending" | "active" | "paused" | "completed" | "expired" | "revoked" | "canceled";

/** What more a user may buy from inside the page. */
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
  status: Status;
  /** Grows with every change, so that late news never replaces newer. */
  version: number;
  expires_at: number;
  paused_at?: number;
  duration_limit_seconds: number;
  tokens_allocated: number;
  return_url: string;
  warning_seconds?: number[];
  extension?: Extension;
  pause?: PauseRight;
}

export interface SessionAnswer {
  session: SessionView;
  server_time_ms: number;
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

/** An error body (RFC 9457). `code` is the part that programs read. */
export interface Problem {
  code: string;
  status?: number;
  /** For a person. */
  detail?: string;
  return_url?: string;
  consent_url?: string;
  session_id?: string;
}

export const GATE_PREFIX = "/.session-gate/";
