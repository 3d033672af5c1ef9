import { type Api, createApi, gateBase } from "../api";
import { createServerClock } from "../clock";
import { createSession, type Session } from "../session";
import { createStore, type Store } from "../store";
import type { ActingEffects } from "./acting";
import { BACKEND_BASE } from "./backend";
import { withBreaker } from "./breaker";
import { sdkError } from "./causes";
import type { SDKConfig } from "./config";
import type { Events } from "./events";
import type { Access } from "./page";
import { broadcastChannel, clock, newKey } from "./platform";
import type { ReportingEffects } from "./reporting";
import { either } from "./signals";

/** A session and its connection to the page's gate or to the session service. */
export interface Connection {
  api: Api;
  session: Session;
  store: Store;
  /** What actions and analytics need beyond that. */
  effects: Omit<ActingEffects & ReportingEffects, "id">;
}

export interface ConnectionEffects {
  config: SDKConfig;
  events: Events;
  /** The page's fetch, before the page wrapped it. */
  fetch: typeof globalThis.fetch;
  /** Undefined behind the gate, which holds the token. */
  access: Access | undefined;
  /** Puts the hooks of the configuration around the calls. */
  hooked?: ((call: typeof globalThis.fetch, base: string) => typeof globalThis.fetch) | undefined;
  /** Aborted when the SDK is destroyed, or when opening the session is given up. */
  signal: AbortSignal;
}

const { random } = Math;

export function connect(effects: ConnectionEffects): Connection {
  const { config, events, fetch, access, signal, hooked } = effects;
  const { heartbeatIntervalMs, timeoutMs, warningThresholdSeconds: threshold } = config;
  const base = access ? BACKEND_BASE : gateBase();
  const bare: typeof fetch = access?.call ?? ((input, init) => fetch.call(window, input, init));
  const plainFetch = hooked?.(bare, base) ?? bare;
  const call = withBreaker(
    (input, init) =>
      // A keepalive request must outlive the SDK.
      plainFetch(input, { ...init, signal: init?.keepalive ? null : either(signal, init?.signal) }),
    clock,
  );
  const serverClock = createServerClock(clock);
  const store = createStore(() => localStorage);
  const apiFor = (own?: AbortSignal) =>
    createApi({
      fetch: own ? (input, init) => call(input, { ...init, signal: either(own, init?.signal) }) : call,
      // sendBeacon cannot send the token; a keepalive fetch can.
      sendBeacon(url, body) {
        if (!access) return !!navigator.sendBeacon?.(url, body);
        void call(url, { body, keepalive: true }).catch(() => {});
        return true;
      },
      serverClock,
      base,
      ...(timeoutMs && { timeoutMs }),
    });
  const plain = apiFor();
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
    channel: broadcastChannel,
    heartbeatMs: heartbeatIntervalMs,
  });
  return {
    api,
    session,
    store,
    effects: { api, apiFor, session, fetch: call, address: `${base}events`, clock, random, newKey },
  };
}
