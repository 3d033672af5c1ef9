"use client";

import { MarketplaceProvider, SessionControls, useSession } from "@marketplace/provider-sdk/next";
import { useState } from "react";

export function Session() {
  // Available in the browser only; a server renders the session as loading.
  const [config] = useState(() => ({ apiEndpoint: typeof location === "undefined" ? "" : location.origin }));
  return (
    <MarketplaceProvider config={config}>
      <Clock />
      <SessionControls />
    </MarketplaceProvider>
  );
}

function Clock() {
  const { session, loading, error, formattedTime, endSession, extendSession } = useSession();
  if (loading) return <p data-testid="state">Opening the session…</p>;
  if (error) return <p data-testid="state">{error.code}</p>;
  return (
    <>
      <p data-testid="state">
        {formattedTime} left of {session?.tokensAllocated} tokens
      </p>
      <button type="button" id="extend" onClick={() => void extendSession().catch(console.warn)}>
        More time
      </button>
      <button type="button" id="end" onClick={() => void endSession().catch(console.warn)}>
        End session
      </button>
    </>
  );
}
