// Responses of the session service; see /docs. Times are Unix seconds unless a name says otherwise.
// test/types.test-d.ts compares these types with the service.
import type { SessionRow } from "../../../../sdk-inject/src/package/stats";

export type {
  Analysis,
  RevenueDay,
  SessionDay,
  SessionStats,
  UserDay,
} from "../../../../sdk-inject/src/package/stats";

export interface Me {
  role: "provider" | "admin";
  provider_id?: string;
  name: string;
  person: boolean;
  /** The id of the key or link used to sign in, if any. */
  key_id?: string;
  /** Whether a sign-in link was used. */
  guest: boolean;
  expires_at?: number;
  /** The provider, for the role provider. */
  provider?: Provider;
}

export interface Policies {
  settlement?: "full" | "prorated";
  pause?: { max_count: number; max_seconds: number };
  warning_seconds?: number[];
  return_hosts?: string[];
  launch_window_seconds?: number;
}

/** Only proven, vouched and local domains are served. */
export type DomainState = "pending" | "proven" | "suspended" | "vouched" | "local";

export interface Provider {
  id: string;
  name: string;
  domains: string[];
  domain_states: Record<string, DomainState>;
  origin_url: string;
  app_url: string;
  policies: Policies;
  site: Site;
  /** Settings in site that the Caddyfile of an edge sets itself. */
  site_overrides: string[];
  created_at: number;
  updated_at: number;
}

/** What a provider decides about its own site, with all defaults. */
export interface Site {
  open_paths: string[];
  inject: "on" | "off";
  cookie: "lax" | "partitioned";
  forward_identity: "headers" | "jwt" | "off";
  upload_grace_seconds: number;
  max_sessions: number;
  maintenance: { on: boolean; message: string; until: number };
  brand: { app_name: string; shop_url: string; support_url: string; logo_url: string; accent: string };
  clock: {
    position: "bottom-right" | "bottom-left" | "top-right" | "top-left";
    hidden: boolean;
    collapsed: boolean;
    texts: Record<string, { warning: string; ended: string }>;
  };
}

/** Only live sessions are paid. */
export type Mode = "live" | "test" | "staff" | "preview";

export type Status = SessionRow["status"];
export interface Session extends Omit<SessionRow, "settlement"> {
  /** What it is for. Missing: live. */
  mode?: Mode;
  /** The pass that opened it, where it was not sold. */
  pass_id?: string;
  /** The marketplace that sold it. */
  marketplace_id?: string;
  clock: "creation" | "launch";
  launch_by?: number;
  entered_at?: number;
  unentered: "capture" | "release";
  purchases: Purchase[];
  paused_at?: number;
  return_url: string;
  settlement_policy?: "full" | "prorated";
  consent_url?: string;
  relaunches?: number;
  /** Why its clock stands still. */
  standstill?: "maintenance";
  standstill_seconds?: number;
  warning_seconds?: number[];
  extension?: { additional_seconds: number; tokens: number; max_count: number; used?: number };
  pause?: { max_count: number; max_seconds: number; used?: number };
  settlement?: {
    reason: string;
    captured: number;
    released: number;
    used_seconds: number;
    settled_at: number;
  };
}
export interface Purchase {
  kind: "sale" | "extension";
  by: "user" | "marketplace" | "operator";
  purchased_at: number;
  seconds: number;
  tokens: number;
  count?: number;
  used_seconds?: number;
  captured?: number;
  released?: number;
}
export interface SessionPage {
  sessions: Session[];
  next_cursor?: string;
}

export interface TimelineEntry {
  at_ms: number;
  kind: "session" | "page" | "extension" | "ledger" | "delivery" | "heartbeats";
  name: string;
  detail: Record<string, unknown>;
}
export interface Timeline {
  session_id: string;
  entries: TimelineEntry[];
}

export interface Webhook {
  id: string;
  /** test: it receives messages about all sessions that are not live. */
  mode: "live" | "test";
  url: string;
  events: string[];
  description?: string;
  enabled: boolean;
  disabled_reason?: "gone" | "failing" | "requested";
  disabled_at?: number;
  failing_since?: number;
  retry_at?: number;
  created_at: number;
  updated_at: number;
}
export interface Secret {
  webhook: Webhook;
  secret: string;
  old_secret_until?: number;
}
export type MessageType =
  | "session.started"
  | "session.warning"
  | "session.extended"
  | "session.paused"
  | "session.resumed"
  | "session.ended"
  | "webhook.disabled"
  | "webhook.test";
export interface Delivery {
  id: string;
  webhook_id: string;
  message_id: string;
  type: MessageType;
  session_id?: string;
  status: "pending" | "delivered" | "failed";
  attempts: number;
  last_status?: number;
  next_try_at?: number;
  created_at: number;
  done_at?: number;
}
export interface Attempt {
  attempt: number;
  at: number;
  took_ms: number;
  status: number;
  response: string;
}
export interface DeliveryDetail {
  delivery: Delivery;
  payload: string;
  attempts: Attempt[];
}
export interface TestResult {
  delivered: boolean;
  delivery: Delivery;
  attempt: Attempt;
}

/** What portal guests set and nobody has confirmed. */
export interface GuestChanges {
  changes: { item: string; webhook_id?: string; link_id: string; at: number }[];
}

export interface PageReport {
  host: string;
  path: string;
  outcome: string;
  injected: boolean;
  count: number;
  last_at: number;
  remedy: string;
}
export interface PageReports {
  pages: PageReport[];
  as_of: number;
}

export interface Check {
  name:
    | "dns"
    | "ownership"
    | "tls"
    | "gate"
    | "time"
    | "refusal"
    | "websocket"
    | "injection"
    | "policy"
    | "origin_lock";
  grade: "ok" | "warning" | "failed" | "unchecked";
  found: string;
  /** How to fix it; empty if the check passed. */
  remedy: string;
}
export interface Checks {
  checks: Check[];
  failed: number;
  url: string;
  at: number;
}

export interface DnsRecord {
  type: "CNAME" | "A" | "AAAA" | "TXT";
  name: string;
  value: string;
}
/** The DNS records that point a domain at the edges. */
export interface DomainRecords {
  domain: string;
  zone: string;
  label: string;
  records: DnsRecord[];
  alias?: string;
  /** Proves the domain as well, where the CNAME is hidden. */
  text?: DnsRecord;
  note: string;
  state: DomainState;
  claimed_at: number;
  checked_at: number;
  proven_at: number;
  missing_since: number;
  next_check_at: number;
  found: string;
}
/** Without edge_host, the operator did not configure where the edges are. */
export interface Dns {
  edge_hosts: string[];
  domains: DomainRecords[];
}

export interface Edge {
  id: string;
  version: string;
  started_at: number;
  last_seen_at: number;
  live_sessions: number;
  stream_lag_ms: number;
  addresses: string[];
  site_options: { provider_id?: string; options: string[] }[];
}
export interface SigningKey {
  kid: string;
  state: "current" | "next" | "retired";
  created_at: number;
  retired_at?: number;
}
export interface ApiKey {
  id: string;
  /** A link signs in a browser. */
  kind: "key" | "link";
  /** The first characters of the key. */
  hint: string;
  role: "marketplace" | "provider" | "edge" | "admin";
  provider_id?: string;
  marketplace_id?: string;
  /** Whether it sells and reads test sessions only. */
  test?: boolean;
  name?: string;
  created_at: number;
  last_used_at?: number;
  expires_at?: number;
  revoked_at?: number;
}
/** A new key. The only response that contains the secret. */
export interface MadeKey {
  key: ApiKey;
  secret: string;
}
/** Opens the provider's app without a sale. */
export interface Pass {
  id: string;
  provider_id: string;
  kind: "staff" | "preview";
  label?: string;
  created_by: string;
  created_at: number;
  expires_at: number;
  revoked_at?: number;
  entries: number;
  last_used_at?: number;
}
/** A new pass. The only response that contains the link. */
export interface MadePass extends Pass {
  url: string;
}
export interface Person {
  id: string;
  email: string;
  role: "provider" | "admin";
  provider_id?: string;
  created_at: number;
  last_seen_at?: number;
}
export interface AuditEntry {
  id: string;
  at: number;
  actor: string;
  action: string;
  target: string;
  request_id: string;
  changes: { field: string; before: unknown; after: unknown }[];
}
export interface PortalLink {
  id: string;
  provider_id: string;
  url: string;
  expires_at: number;
}
