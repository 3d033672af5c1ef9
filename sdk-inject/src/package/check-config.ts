import type { SDKConfig } from "./config";
import { failure } from "./errors";
import { LONGEST_MS } from "./platform";

/** Throws `INVALID_CONFIG` for a configuration that cannot work. */
export function checkConfig({ apiEndpoint, heartbeatIntervalMs, timeoutMs, telemetry }: SDKConfig): void {
  if (apiEndpoint && !isSafe(apiEndpoint))
    throw failure("apiEndpoint must be an https URL, or an http URL on localhost.", "INVALID_CONFIG");
  const { endpoint = "", sampleRate = 1 } = telemetry ?? {};
  if (telemetry && !(isSafe(endpoint) && sampleRate >= 0 && sampleRate <= 1))
    throw failure(
      "telemetry needs an endpoint that is an https URL, and a sampleRate from 0 to 1.",
      "INVALID_CONFIG",
    );
  for (const ms of [heartbeatIntervalMs, timeoutMs])
    if (ms !== undefined && !(ms > 0 && ms <= LONGEST_MS))
      throw failure(
        `heartbeatIntervalMs and timeoutMs must be from 1 to ${LONGEST_MS} milliseconds.`,
        "INVALID_CONFIG",
      );
}

/** Whether a token may be sent there: encrypted, or to this machine. */
function isSafe(endpoint: string): boolean {
  try {
    const { protocol, hostname } = new URL(endpoint);
    return (
      protocol === "https:" ||
      (protocol === "http:" && /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
    );
  } catch {
    return false;
  }
}
