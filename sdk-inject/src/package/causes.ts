import type { GateError } from "../errors";
import { failure, SDKError, type SDKErrorCode } from "./errors";

/** What went wrong, and what to do, for errors that come without an explanation. */
const SILENT = "No response from the session service. Check apiEndpoint, the network, CORS and connect-src.";
const FOREIGN = "The response is not the session service's. Check apiEndpoint and the proxies before it.";
const why: Record<string, string> = {
  network: SILENT,
  timeout: SILENT,
  invalid_answer: FOREIGN,
  circuit_open: "The session service failed 5 times in a row. The next call goes to it in at most 30 s.",
  consent_required: "The marketplace made no offer for more time.",
};

/** Converts any error to an SDKError. */
export function sdkError(error: unknown): SDKError {
  if (error instanceof SDKError) return error;
  const { code, status, problem, message } = error as Partial<GateError>;
  // The code of a DOMException is a number.
  if (typeof code !== "string") return failure(message || String(error), "UNEXPECTED");
  const name = code.toUpperCase() as SDKErrorCode;
  return failure(
    problem?.detail ||
      why[code] ||
      `${/^http_/.test(code) ? FOREIGN : "The session service refused the request:"} ${name}.`,
    name,
    status || undefined,
    problem?.consent_url,
  );
}

/** The error for a file of the SDK that could not be loaded. */
export function loadFailed(error: unknown): SDKError {
  return failure(
    `A file of the SDK could not be loaded (${(error as Error).message}). Publish all of the package's files together, and allow them in script-src.`,
    "LOAD_FAILED",
  );
}
