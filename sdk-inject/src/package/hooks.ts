/** hooks: functions of the app that see each request. Loaded only where they are configured. */
import type { Clock } from "../clock";
import { GateError } from "../errors";
import { sdkError } from "./causes";
import type { RequestHooks, SDKRequest } from "./config";
import { failure, type SDKError } from "./errors";
import { pause } from "./signals";

export interface HookEffects {
  hooks: RequestHooks;
  fetch: typeof globalThis.fetch;
  /** What the core puts before the name of an operation. */
  base: string;
  /** Where the requests go: the gate of the page, or the session service. */
  origin: string;
  /** The token of the session, if this SDK has brought it. */
  token: (() => string) | undefined;
  clock: Clock;
  onError(error: SDKError): void;
}

/** A request waits this long for a hook. */
const LONGEST_MS = 2_000;
/** A hook may not change these: they are how the server knows the session and counts a purchase once. */
const RESERVED = /^(authorization|content-type|idempotency-key|cookie|host|content-length)$/i;
const TOKEN = /[\w-]{8,}\.[\w-]+\.[\w-]+/g;

/** A fetch that calls the hooks. An error of a hook is reported, and the request goes on. */
export function withHooks(effects: HookEffects): typeof fetch {
  const { hooks, base, origin, token, clock, onError } = effects;

  const report = (name: string, error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    onError(
      failure(
        `hooks.${name} failed: ${why.replace(TOKEN, "[token]").slice(0, 200)}. The request went on; mend the hook.`,
        "HOOK_FAILED",
      ),
    );
  };

  /** Calls a hook. The promise settles when the hook has, and never rejects. */
  async function run(name: keyof RequestHooks, call: () => unknown): Promise<void> {
    try {
      await call();
    } catch (error) {
      report(name, error);
    }
  }

  async function before(request: SDKRequest, signal: AbortSignal | null | undefined): Promise<void> {
    if (!hooks.beforeRequest) return;
    const done = new AbortController();
    const abort = () => done.abort();
    signal?.addEventListener("abort", abort, { once: true });
    let late = true;
    const hook = run("beforeRequest", () => hooks.beforeRequest?.(request)).then(() => {
      late = false;
      abort();
    });
    await Promise.race([hook, pause(clock, LONGEST_MS, done.signal)]);
    signal?.removeEventListener("abort", abort);
    if (late && !signal?.aborted) report("beforeRequest", `it did not settle within ${LONGEST_MS / 1000} s`);
    abort();
  }

  return async (input, init = {}) => {
    const operation = String(input).slice(base.length).split("?")[0] as SDKRequest["operation"];
    const headers = new Headers(init.headers);
    const request: SDKRequest = {
      operation,
      method: init.method ?? "POST",
      origin,
      headers,
      getToken: () => token?.(),
    };
    // The last request of a page cannot wait.
    if (!init.keepalive) await before(request, init.signal);
    else void run("beforeRequest", () => hooks.beforeRequest?.(request));
    const added: Record<string, string> = {};
    headers.forEach((value, name) => {
      if (!RESERVED.test(name)) added[name] = value;
    });
    const sent = clock.elapsed();
    let response: Response;
    try {
      response = await effects.fetch(input, { ...init, headers: { ...added, ...(init.headers as object) } });
    } catch (error) {
      const code = (error as Error).name === "TimeoutError" ? "timeout" : "network";
      if ((error as Error).name !== "AbortError")
        void run("onRequestError", () => hooks.onRequestError?.(request, sdkError(new GateError(code))));
      throw error;
    }
    const { status, ok } = response;
    const answer = { status, ok, headers: new Headers(response.headers), durationMs: clock.elapsed() - sent };
    void run("afterResponse", () => hooks.afterResponse?.(request, answer));
    return response;
  };
}
