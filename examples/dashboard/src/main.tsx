import { createStatsClient, ProviderDashboard } from "@marketplace/provider-sdk/dashboard";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./page.css";

declare const PROVIDER: string;

const client = createStatsClient({ apiEndpoint: "", providerId: PROVIDER });

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <main>
      <h1>Dashboard example</h1>
      <ProviderDashboard client={client} />
    </main>
  </StrictMode>,
);
