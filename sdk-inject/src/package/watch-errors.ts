import type { Clock } from "../clock";
import type { TelemetryConfig } from "./config";
import type { Events } from "./events";
import { createTelemetry } from "./telemetry";

/** Reports the SDK's errors. Returns a function that sends what is waiting and stops. */
export function watchErrors(config: TelemetryConfig, events: Events, clock: Clock): () => void {
  const { fetch } = window;
  const telemetry = createTelemetry({
    sampleRate: config.sampleRate ?? 1,
    random: Math.random,
    clock,
    isPrivate: () => (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true,
    send(body) {
      // Not sendBeacon, which sends cookies. Plain text needs no preflight.
      fetch
        .call(window, config.endpoint, {
          method: "POST",
          body,
          headers: { "Content-Type": "text/plain;charset=UTF-8" },
          mode: "no-cors",
          credentials: "omit",
          referrerPolicy: "no-referrer",
          cache: "no-store",
          keepalive: true,
        })
        .catch(() => {});
    },
  });
  const stop = [
    events.on("onError", (error) => telemetry.add("error", error)),
    events.on("onHeartbeat", ({ error }) => error && telemetry.add("heartbeat", error)),
  ];
  addEventListener("pagehide", telemetry.leave);
  return () => {
    for (const one of stop) one();
    removeEventListener("pagehide", telemetry.leave);
    telemetry.leave();
  };
}
