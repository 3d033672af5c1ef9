import { modeFor } from "./mode";

/** An error in one field of a request: `site.brand.accent`. */
export interface FieldError {
  field: string;
  message: string;
}

/** A refused or failed request. `status` is 0 if there was no response. `message` says what to do. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code = "",
    readonly fields: FieldError[] = [],
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 30_000;
const MOST_TRIES = 3; // a 429 response is retried after its Retry-After, up to this many requests

type Listener = (reachable: boolean) => void;
const listeners = new Set<Listener>();
let reachable = true;

/** Calls the listener when the service stops or starts responding. */
export function onReach(listener: Listener): () => void {
  listeners.add(listener);
  listener(reachable);
  return () => void listeners.delete(listener);
}

function reached(now: boolean) {
  if (now === reachable) return;
  reachable = now;
  for (const listener of listeners) listener(now);
}

const wait = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** The URL of the sign-in page, which returns to the current page. */
export const signInAt = (): string => `/auth/?to=${encodeURIComponent(location.pathname + location.search)}`;

let leaving = false;

/** Says that the user signs out. Requests that are answered 401 from now on no longer lead to the sign-in page:
 *  they would replace the navigation that is under way. */
export function leave(): void {
  leaving = true;
}
// The browser may show this page again as it was left.
globalThis.addEventListener?.("pageshow", () => {
  leaving = false;
});

/** Calls the API as the signed-in user. Rejects with an {@link ApiError}. If nobody is signed in, the browser
 *  goes to the sign-in page and the promise never settles. */
export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T> {
  // The idempotency key makes a retried write take effect once.
  const key = method === "GET" ? {} : { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) };
  for (let tries = 1; ; tries++) {
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    let answer: Response;
    try {
      answer = await fetch(path, {
        method,
        headers: { ...key, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch {
      if (signal?.aborted) throw new ApiError("The request was canceled.", 0, "aborted");
      reached(false);
      throw new ApiError(
        "The session service is not responding. Check your connection and try again.",
        0,
        "offline",
      );
    }
    reached(answer.status < 502 || answer.status > 504);
    if (answer.status === 401) {
      if (!leaving) location.assign(signInAt());
      return new Promise<never>(() => {});
    }
    if (answer.status === 429 && tries < MOST_TRIES) {
      await wait(1000 * Math.min(10, Number(answer.headers.get("Retry-After")) || 1), signal);
      continue;
    }
    return read<T>(answer);
  }
}

async function read<T>(answer: Response): Promise<T> {
  if (answer.status === 204) return undefined as T;
  const body = (await answer.json().catch(() => undefined)) as Record<string, unknown> | undefined;
  if (answer.ok && body) return body as T;
  const text = String(body?.detail ?? body?.title ?? `The session service answered ${answer.status}.`);
  const errors = Array.isArray(body?.errors)
    ? (body.errors as { message?: string; location?: string }[])
    : [];
  const fields = errors.map(({ message = "", location: at = "" }) => ({
    field: at.replace(/^body\.?/, ""),
    message,
  }));
  const more = fields.map(({ field, message }) => [field, message].filter(Boolean).join(": "));
  throw new ApiError([text, ...more].join(" "), answer.status, String(body?.code ?? ""), fields);
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  call<T>("GET", path, undefined, signal);
export const post = <T>(path: string, body: unknown = {}): Promise<T> => call<T>("POST", path, body);
export const patch = <T>(path: string, body: unknown): Promise<T> => call<T>("PATCH", path, body);
export const remove = (path: string): Promise<void> => call<void>("DELETE", path);

/** A path of the provider's API, with a query of the defined values, for live or for test data. */
export function of(
  providerId: string,
  rest = "",
  query: Record<string, string | number | undefined> = {},
): string {
  return `/api/v1/providers/${encodeURIComponent(providerId)}${rest}${search({ mode: modeFor(rest), ...query })}`;
}

export function search(query: Record<string, string | number | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}
