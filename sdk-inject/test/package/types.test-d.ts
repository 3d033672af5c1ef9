// Compiles, or `npm run check` fails: the package's types as its users meet them.
import {
  MarketplaceSDK,
  type SDKConfig,
  SDKError,
  type SDKEvents,
  type SessionData,
} from "../../src/package/index";
import { useMarketplaceSession } from "../../src/package/react";
import { verifyWebhook } from "../../src/package/server";

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

export { data, events, none, off, paused, useMarketplaceSession };
