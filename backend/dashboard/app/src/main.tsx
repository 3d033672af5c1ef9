import { render } from "react";
import "../../static/tokens.css";
import "./style/base.css";
import "./style/forms.css";
import "./style/order.css";
import "./style/parts.css";
import "./style/tables.css";
import "./style/shell.css";
import { get, of } from "./api";
import { useLive } from "./live";
import { useLoad } from "./load";
import { Edges } from "./operator/edges";
import { Keys } from "./operator/keys";
import { Audit, People } from "./operator/people";
import { ProviderPage, Providers } from "./operator/providers";
import { OperatorSessions } from "./operator/sessions";
import { DeliveryPage } from "./pages/deliveries";
import { Health } from "./pages/health";
import { Overview } from "./pages/overview";
import { SessionPage } from "./pages/session";
import { Sessions } from "./pages/sessions";
import { Settings } from "./pages/settings";
import { Setup } from "./pages/setup";
import { WebhookPage } from "./pages/webhook";
import { Webhooks } from "./pages/webhooks";
import { Empty, Show, Title } from "./parts/states";
import { Link, usePlace } from "./router";
import { type Place, Shell } from "./shell";
import type { Me, Provider } from "./types";

const ofProvider: Place[] = [
  { to: "/", name: "Overview", icon: "overview" },
  { to: "/sessions", name: "Sessions", icon: "sessions" },
  { to: "/webhooks", name: "Webhooks", icon: "webhooks" },
  { to: "/health", name: "Health", icon: "health" },
  { to: "/settings", name: "Settings", icon: "settings" },
  { to: "/setup", name: "Set-up", icon: "setup" },
];
const ofOperator: Place[] = [
  { to: "/operator/providers", name: "Providers", icon: "providers" },
  { to: "/operator/sessions", name: "Sessions", icon: "sessions" },
  { to: "/operator/edges", name: "Edges", icon: "edges" },
  { to: "/operator/keys", name: "Keys", icon: "keys" },
  { to: "/operator/people", name: "People", icon: "people" },
  { to: "/operator/audit", name: "Audit", icon: "audit" },
];

function App() {
  const me = useLoad("me", (signal) => get<Me>("/api/v1/me", signal));
  if (!me.data)
    return (
      <main className="alone">
        <Show of={me}>{() => null}</Show>
      </main>
    );
  return me.data.role === "admin" ? <Operator me={me.data} /> : <ProviderApp me={me.data} />;
}

function ProviderApp({ me }: { me: Me }) {
  const id = me.provider_id ?? "";
  const { parts } = usePlace();
  const provider = useLoad(of(id), (signal) => get<Provider>(of(id), signal));
  const current = `/${parts[0] ?? ""}`;
  return (
    <Shell me={me} name={provider.data?.name ?? id} places={ofProvider} current={current}>
      <Show of={provider} rows={8} missing="This provider is not there any more.">
        {(one) => <ProviderPages provider={one} parts={parts} onSaved={provider.set} />}
      </Show>
    </Shell>
  );
}

function ProviderPages({
  provider,
  parts,
  onSaved,
}: {
  provider: Provider;
  parts: string[];
  onSaved: (p: Provider) => void;
}) {
  const { changes } = useLive(provider.id);
  const [page = "", id, more] = parts;
  if (!page) return <Overview provider={provider} />;
  if (page === "sessions")
    return id ? <SessionPage key={id} id={id} changes={changes} /> : <Sessions provider={provider} />;
  if (page === "webhooks" && id && more)
    return <DeliveryPage key={more} provider={provider} webhook={id} id={more} />;
  if (page === "webhooks")
    return id ? <WebhookPage key={id} provider={provider} id={id} /> : <Webhooks provider={provider} />;
  if (page === "health") return <Health provider={provider} />;
  if (page === "settings") return <Settings provider={provider} onSaved={onSaved} />;
  if (page === "setup") return <Setup provider={provider} step={id} onSaved={onSaved} />;
  return (
    <NotThere
      what={page === "operator" ? "This needs an administrator. You are signed in as a provider." : undefined}
    />
  );
}

function Operator({ me }: { me: Me }) {
  const { parts } = usePlace();
  const [root = "operator", page = "providers", id] = parts;
  return (
    <Shell me={me} name="Operator" places={ofOperator} current={`/operator/${page}`}>
      {root === "operator" ? (
        <OperatorPages page={page} id={id} />
      ) : (
        <NotThere what="This is a provider's page. You are signed in as an administrator." />
      )}
    </Shell>
  );
}

function OperatorPages({ page, id }: { page: string; id: string | undefined }) {
  if (page === "providers") return id ? <ProviderPage key={id} id={id} /> : <Providers />;
  if (page === "sessions") return <OperatorSessions key={id} id={id} />;
  if (page === "edges") return <Edges />;
  if (page === "keys") return <Keys />;
  if (page === "people") return <People />;
  if (page === "audit") return <Audit />;
  return <NotThere />;
}

function NotThere({
  what = "The address may be mistyped, or the page is from another version.",
}: {
  what?: string | undefined;
}) {
  return (
    <>
      <Title text="No such page" />
      <Empty title="There is nothing here">
        {what} <Link to="/">To the start</Link>
      </Empty>
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
