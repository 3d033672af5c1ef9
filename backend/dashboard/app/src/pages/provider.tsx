import { useLive } from "../live";
import { Empty, Title } from "../parts/states";
import { Link, useViewer } from "../router";
import type { Provider } from "../types";
import { DeliveryPage } from "./deliveries";
import { Health } from "./health";
import { Overview } from "./overview";
import { Passes } from "./passes";
import { SessionPage } from "./session";
import { Sessions } from "./sessions";
import { Settings } from "./settings";
import { Setup } from "./setup";
import { SitePage } from "./site";
import { Unconfirmed } from "./unconfirmed";
import { WebhookPage } from "./webhook";
import { Webhooks } from "./webhooks";

interface ProviderPagesProps {
  provider: Provider;
  /** The parts of the path below the base path. */
  parts: string[];
  onSaved: (p: Provider) => void;
}

/** A provider's pages, for the provider and for operators. */
export function ProviderPages(props: ProviderPagesProps) {
  const [page = ""] = props.parts;
  return (
    <>
      {["", "webhooks", "settings"].includes(page) && (
        <Unconfirmed key={props.parts.join("/")} providerId={props.provider.id} />
      )}
      <Page {...props} />
    </>
  );
}

function Page({ provider, parts, onSaved }: ProviderPagesProps) {
  const { changes } = useLive(provider.id);
  const { reading } = useViewer();
  const [page = "", id, more] = parts;
  if (!page) return <Overview provider={provider} />;
  if (page === "sessions")
    return id ? <SessionPage key={id} id={id} changes={changes} /> : <Sessions provider={provider} />;
  if (page === "webhooks" && id && more)
    return <DeliveryPage key={more} provider={provider} webhook={id} id={more} />;
  if (page === "webhooks")
    return id ? <WebhookPage key={id} provider={provider} id={id} /> : <Webhooks provider={provider} />;
  if (page === "health") return <Health provider={provider} />;
  if (page === "settings" && id === "site") return <SitePage provider={provider} onSaved={onSaved} />;
  if (page === "settings" && id === "passes") return <Passes provider={provider} />;
  if (page === "settings") return <Settings provider={provider} onSaved={onSaved} />;
  if (page === "setup" && !reading) return <Setup provider={provider} step={id} onSaved={onSaved} />;
  return (
    <NotFound
      what={
        page === "operator" || page === "providers"
          ? "This needs an administrator. You are signed in as a provider."
          : undefined
      }
    />
  );
}

export function NotFound({
  what = "The address may be mistyped, or the page is from another version.",
}: {
  what?: string | undefined;
}) {
  return (
    <>
      <Title text="Page not found" />
      <Empty title="Nothing at this address">
        {what}{" "}
        <Link root to="/">
          Go to the overview
        </Link>
      </Empty>
    </>
  );
}
