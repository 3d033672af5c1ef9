// Compiles, or `npm run check` fails: the package's types as its users meet them.
import { createStatsClient, DayChart, ProviderDashboard } from "../../src/package/dashboard";
import {
  AuthError,
  extractClaim,
  MarketplaceSDK,
  NetworkError,
  type SDKConfig,
  SDKError,
  type SDKEvents,
  type SessionData,
  ValidationError,
} from "../../src/package/index";
import { useMarketplaceSession } from "../../src/package/react";
import { createProviderClient, verifyWebhook } from "../../src/package/server";

const config: SDKConfig = { apiEndpoint: "https://x.example", customStyles: { primaryColor: "#c00" } };
const sdk = new MarketplaceSDK(config);
const off: () => void = sdk.on("onSessionWarning", ({ remainingSeconds }) => remainingSeconds.toFixed());
const data: Promise<SessionData> = sdk.initialize();
const none: SessionData | null = sdk.getSessionData();
const events: Partial<SDKEvents> = { onError: (error) => error.code };
const paused: Promise<void> = sdk.pauseTimer();

// @ts-expect-error there is no such event
sdk.on("onNothing", () => {});
// @ts-expect-error a handler of another event
sdk.on("onSessionWarning", (data: SessionData) => data);
// @ts-expect-error the endpoint is required
new MarketplaceSDK({});
// @ts-expect-error no such style
new MarketplaceSDK({ apiEndpoint: "", customStyles: { colour: "red" } });
// @ts-expect-error codes are capitals
new SDKError("x", "lower");
// @ts-expect-error values are strings
sdk.track("x", { n: 1 });
// @ts-expect-error the secret is required
verifyWebhook("", {});

function kindOf(error: unknown): string {
  if (error instanceof NetworkError) return error.code;
  if (error instanceof ValidationError) return error.code;
  if (error instanceof AuthError) return error.code;
  // The classes are told apart: what is left is the rest, and not nothing.
  return error instanceof SDKError ? error.code : "";
}
const user: string | undefined = extractClaim("", "sub");
// @ts-expect-error a NetworkError has the codes of one
new NetworkError("", "NETWORK").code === "FORBIDDEN";

const client = createStatsClient({ apiEndpoint: "", providerId: "prov_1" });
const count: Promise<number> = client.getActiveSessionCount();
const earned: Promise<number[]> = client
  .getAnalytics("revenue")
  .then(({ days }) => days.map((d) => d.captured));
const unsubscribe: () => void = client.subscribe((update) => {
  if (update.type === "counts") update.counts.active.toFixed();
  // @ts-expect-error only counts have them
  update.counts;
});
ProviderDashboard({ client, theme: "auto", words: { title: "Meine Sitzungen" } });

// @ts-expect-error a day of sessions has no earnings
client.getAnalytics("sessions").then(({ total }) => total.captured);
// @ts-expect-error there is no such analysis
client.getAnalytics("moods");
// @ts-expect-error a server has its key
createProviderClient({ apiEndpoint: "", providerId: "prov_1" });
// @ts-expect-error a chart needs days
DayChart({ title: "x" });
// @ts-expect-error no such theme
ProviderDashboard({ client, theme: "sepia" });

export { count, data, earned, events, kindOf, none, off, paused, unsubscribe, useMarketplaceSession, user };
