import { type Actions, createActions } from "../actions";
import { type Api, createApi, gateBase } from "../api";
import { browserClock as clock } from "../browser";
import { createServerClock } from "../clock";
import { GateError } from "../errors";
import { createSession, type Session } from "../session";
import { createStore, type Store } from "../store";
import { createAnalytics } from "./analytics";
import { BACKEND_BASE, backendFetch } from "./backend";
import { withBreaker } from "./breaker";
import type { SDKConfig } from "./config";
import { sdkError } from "./errors";
import { createEventQueue } from "./event-queue";
import type { Events } from "./events";
import type { TokenClaims } from "./token";

/** A session and its connection to the page's gate or to the session service. */
export interface Connection {
  api: Api;
  session: Session;
  actions: Actions;
  store: Store;
  /** Creates the analytics of an open session. */
  analytics(id: string): ReturnType<typeof createAnalytics>;
}

export interface ConnectionEffects {
  config: SDKConfig;
  events: Events;
  /** The page's fetch, before the page wrapped it. */
  fetch: typeof globalThis.fetch;
  /** Undefined behind the gate, which holds the token. */
  token: string | undefined;
  claims: TokenClaims | undefined;
  signal: AbortSignal;
}

const { random } = Math;
const JSON_TYPE = { "Content-Type": "application/json" };

export function connect({ config, events, fetch, token, claims, signal }: ConnectionEffects): Connection {
  const { heartbeatIntervalMs, timeoutMs, warningThresholdSeconds: threshold } = config;
  const safe = withBreaker((input, init) => fetch.call(window, input, init), clock);
  const serverClock = createServerClock(clock);
  const store = createStore(() => localStorage);
  const endpoint = config.apiEndpoint.replace(/\/+$/, "");
  const remote = token && claims && backendFetch({ fetch: safe, endpoint, token, claims, signal });
  const base = remote ? BACKEND_BASE : gateBase();
  const call = remote || safe;
  const plain = createApi({
    fetch: call,
    // sendBeacon cannot send the token; a keepalive fetch can.
    sendBeacon(url, body) {
      if (!remote) return !!navigator.sendBeacon?.(url, body);
      void remote(url, { body, keepalive: true }).catch(() => {});
      return true;
    },
    serverClock,
    base,
    ...(timeoutMs && { timeoutMs }),
  });
  let failures = 0;
  const api: Api = {
    ...plain,
    async session() {
      const answer = await plain.session();
      if (threshold) answer.session.warning_seconds = [threshold];
      return answer;
    },
    async heartbeat(body) {
      try {
        const answer = await plain.heartbeat(body);
        failures = 0;
        events.emit("onHeartbeat", { failures });
        return answer;
      } catch (error) {
        events.emit("onHeartbeat", { failures: ++failures, error: sdkError(error) });
        throw error;
      }
    },
  };
  const session = createSession({
    api,
    clock,
    serverClock,
    random,
    store,
    locks: navigator.locks,
    channel: (name) => (typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(name)),
    heartbeatMs: heartbeatIntervalMs,
  });
  return {
    api,
    session,
    store,
    actions: createActions({ api, session, clock, random, newKey }),
    analytics: (id) =>
      createAnalytics({
        clock,
        random,
        newKey,
        eventQueue: createEventQueue(() => localStorage, id, clock.now),
        async send({ key, events }, keepalive) {
          const response = await call(`${base}events`, {
            method: "POST",
            headers: { ...JSON_TYPE, "Idempotency-Key": key },
            body: JSON.stringify({ events }),
            keepalive,
          });
          if (!response.ok) throw new GateError("refused", {}, response.status);
        },
      }),
  };
}

/** 128 random bits. randomUUID is not available on plain HTTP pages. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
