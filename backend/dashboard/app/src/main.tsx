import { render, useEffect, useState } from "react";
import "../../static/tokens.css";
import "./style/base.css";
import "./style/forms.css";
import "./style/order.css";
import "./style/parts.css";
import "./style/tables.css";
import "./style/shell.css";
import "./style/site.css";
import { get } from "./api";
import { useLoad } from "./load";
import { setTest, useTest } from "./mode";
import { Edges } from "./operator/edges";
import { Keys } from "./operator/keys";
import { Audit, People } from "./operator/people";
import { ReadProvider } from "./operator/provider";
import { Providers } from "./operator/providers";
import { OperatorSessions } from "./operator/sessions";
import { NotFound, ProviderPages } from "./pages/provider";
import { Show } from "./parts/states";
import { go, ROOT, useRoute, ViewerProvider } from "./router";
import { type NavItem, Shell } from "./shell";
import type { Me, Provider } from "./types";

const providerNav: NavItem[] = [
  { to: "/", name: "Overview", icon: "overview" },
  { to: "/sessions", name: "Sessions", icon: "sessions" },
  { to: "/webhooks", name: "Webhooks", icon: "webhooks" },
  { to: "/health", name: "Health", icon: "health" },
  { to: "/settings", name: "Settings", icon: "settings" },
  { to: "/setup", name: "Set-up", icon: "setup" },
];
const operatorNav: NavItem[] = [
  { to: "/operator/providers", name: "Providers", icon: "providers" },
  { to: "/operator/sessions", name: "Sessions", icon: "sessions" },
  { to: "/operator/edges", name: "Edges", icon: "edges" },
  { to: "/operator/keys", name: "Keys", icon: "keys" },
  { to: "/operator/people", name: "People", icon: "people" },
  { to: "/operator/audit", name: "Audit", icon: "audit" },
];

function App() {
  const me = useLoad("me", async (signal) => {
    const now = await get<Me>("/api/v1/me", signal);
    if (!now.provider) setTest(false); // only the pages of a provider have the switch
    return now;
  });
  if (!me.data)
    return (
      <main className="alone">
        <Show of={me} missing="This provider no longer exists.">
          {() => null}
        </Show>
      </main>
    );
  return me.data.provider ? <ProviderApp me={me.data} known={me.data.provider} /> : <Operator me={me.data} />;
}

function ProviderApp({ me, known }: { me: Me; known: Provider }) {
  const { parts } = useRoute();
  const [provider, setProvider] = useState(known);
  const test = useTest();
  return (
    <ViewerProvider value={{ me, base: "", reading: false }}>
      <Shell me={me} name={provider.name} places={providerNav} current={`/${parts[0] ?? ""}`} testable>
        {/* Other data are other pages. */}
        <ProviderPages key={String(test)} provider={provider} parts={parts} onSaved={setProvider} />
      </Shell>
    </ViewerProvider>
  );
}

function Operator({ me }: { me: Me }) {
  const { parts } = useRoute();
  const [root = "operator", page = "providers", id] = parts;
  const old = root === "operator" && page === "providers" && id;
  useEffect(() => {
    if (old) go(`${ROOT}/providers/${encodeURIComponent(old)}`, "replace");
  }, [old]);
  if (old) return null;
  const within = root === "providers" && parts[1];
  return (
    <ViewerProvider value={{ me, base: "", reading: false }}>
      <Shell
        me={me}
        name="Operator"
        places={operatorNav}
        current={within ? "/operator/providers" : `/operator/${page}`}
      >
        {within ? (
          <ReadProvider key={within} me={me} id={within} parts={parts.slice(2)} />
        ) : root === "operator" ? (
          <OperatorPages page={page} id={id} />
        ) : (
          <NotFound what="This is a provider's page. You are signed in as an administrator." />
        )}
      </Shell>
    </ViewerProvider>
  );
}

function OperatorPages({ page, id }: { page: string; id: string | undefined }) {
  if (page === "providers") return <Providers />;
  if (page === "sessions") return <OperatorSessions key={id} id={id} />;
  if (page === "edges") return <Edges />;
  if (page === "keys") return <Keys />;
  if (page === "people") return <People />;
  if (page === "audit") return <Audit />;
  return <NotFound />;
}

const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
