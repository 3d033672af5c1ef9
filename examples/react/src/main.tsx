import { MarketplaceProvider, SessionControls, useSession } from "@marketplace/provider-sdk/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

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

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <MarketplaceProvider config={{ apiEndpoint: location.origin }}>
      <h1>React example</h1>
      <Clock />
      <SessionControls />
    </MarketplaceProvider>
  </StrictMode>,
);
