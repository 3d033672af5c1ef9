import { createServerClock } from "../../../../../sdk-inject/src/clock";
import { stringsFor } from "../../../../../sdk-inject/src/languages";
import type { SessionAnswer, SessionSite, SessionView } from "../../../../../sdk-inject/src/protocol";
import { createSession } from "../../../../../sdk-inject/src/session";
import { createStore } from "../../../../../sdk-inject/src/store";
import { createActionsPanel } from "../../../../../sdk-inject/src/ui/actions-panel";
import { createDialogs } from "../../../../../sdk-inject/src/ui/dialog";
import * as move from "../../../../../sdk-inject/src/ui/move";
import * as site from "../../../../../sdk-inject/src/ui/site";
import { createTimer } from "../../../../../sdk-inject/src/ui/timer";
import type { Scene } from "./scene";

/** A session of an hour, and what is left of it. */
const TOTAL_S = 3600;
const LEFT_S = { clock: 1475, warning: 299, ended: 0 };
/** Nothing that takes so long happens in a preview: its time stands still. */
const LONG_MS = 900;

/** Shows the clock of the SDK itself for a session that is not real. Returns a function that removes it. */
export async function showClock({ view, language, name, site: settings }: Scene): Promise<() => void> {
  const now = Date.now();
  const clock = {
    now: () => now,
    elapsed: () => performance.now(),
    setTimeout: (run: () => void, ms: number) => (ms < LONG_MS ? setTimeout(run, ms) : undefined),
    clearTimeout: (timer: unknown) => clearTimeout(timer as number),
  };
  const left = LEFT_S[view as keyof typeof LEFT_S] ?? TOTAL_S;
  const session: SessionView = {
    id: "preview",
    provider_id: "",
    status: left ? "active" : "expired",
    version: 1,
    expires_at: Math.floor(now / 1000) + left,
    duration_limit_seconds: TOTAL_S,
    tokens_allocated: 60,
    return_url: settings.brand.shop_url || "https://marketplace.example/",
    settlement_policy: "full",
    extension: { additional_seconds: 900, tokens: 15, max_count: 3 },
  };
  const answer: SessionAnswer = { session, server_time_ms: now, site: siteOf(name, settings) };
  const refused = () => Promise.reject(new Error("This is a preview."));
  const api = {
    session: async () => answer,
    heartbeat: refused,
    change: refused,
    sendLastHeartbeat() {},
  };
  const strings = await stringsFor([language]);
  const effects = {
    api,
    clock,
    serverClock: { ...createServerClock(clock), now: () => now, jumped: () => false },
    random: () => 0.5,
    channel: () => undefined,
    store: createStore(() => {
      throw new Error("A preview stores nothing.");
    }),
    doc: document,
    input: {},
    strings,
    parts: {
      dialog: async () => ({ createDialogs }),
      actionsPanel: async () => ({ createActionsPanel }),
      move: async () => move,
      site: async () => site,
    },
    onReplaced() {},
    go() {},
    beforeEnd: async () => {},
  };
  const made = createSession(effects);
  let remove = () => {};
  const waiting = made.subscribe(() => {
    if (made.state().phase === "loading") return;
    waiting();
    remove = createTimer({ ...effects, session: made });
  });
  made.wake();
  return () => {
    waiting();
    made.sleep();
    remove();
  };
}

/** The part of the settings that an edge tells the clock. */
function siteOf(name: string, { brand, clock }: Scene["site"]): SessionSite {
  const { app_name, support_url, accent } = brand;
  return {
    app_name: app_name || name,
    ...(support_url && { support_url }),
    ...(accent && { accent }),
    clock,
  };
}
