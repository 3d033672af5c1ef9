import { useState } from "react";
import { get, of, post } from "../api";
import { exactly } from "../format";
import { useAction, useLoad } from "../load";
import { NotFound, ProviderPages } from "../pages/provider";
import { Copy } from "../parts/copy";
import { Dialog, FormDialog } from "../parts/dialog";
import { Select } from "../parts/form";
import { Show } from "../parts/states";
import { Link, ViewerProvider } from "../router";
import type { Me, PortalLink, Provider } from "../types";

const pages = [
  ["", "Overview"],
  ["sessions", "Sessions"],
  ["webhooks", "Webhooks"],
  ["health", "Health"],
  ["settings", "Settings"],
] as const;

/** A provider's pages as an operator sees them, below a bar with the way back. */
export function ReadProvider({ me, id, parts }: { me: Me; id: string; parts: string[] }) {
  const path = of(id);
  const provider = useLoad(path, (signal) => get<Provider>(path, signal));
  const [inviting, invite] = useState(false);
  const base = `/providers/${encodeURIComponent(id)}`;
  const at = pages.find(([page]) => page === (parts[0] ?? ""))?.[0];
  const name = provider.data?.name ?? id;
  const missing = provider.error?.status === 404;
  const below = parts.slice(1);
  return (
    <ViewerProvider value={{ me, base, reading: true }}>
      <section className="reading" aria-label="As operator" data-testid="reading">
        <nav aria-label="Breadcrumbs">
          <ol className="crumbs">
            <li>
              <Link root to="/operator/providers">
                Providers
              </Link>
            </li>
            <li>
              <Link root to={base} current={!parts.length}>
                {name}
              </Link>
            </li>
            {at ? (
              <li>
                <Link root to={`${base}/${at}`} current={!below.length}>
                  {pages.find(([page]) => page === at)?.[1]}
                </Link>
              </li>
            ) : null}
            {below.map((part, i) => (
              <li key={part} className="mono">
                <Link
                  root
                  to={[base, at, ...below.slice(0, i + 1).map(encodeURIComponent)].join("/")}
                  current={i === below.length - 1}
                >
                  {part.length > 14 ? `…${part.slice(-12)}` : part}
                </Link>
              </li>
            ))}
          </ol>
        </nav>
        {!missing && (
          <>
            {" "}
            <div className="panel-head">
              <p>
                <span className="strong">As operator, reading {name}</span>{" "}
                <span className="mono small-text muted wrap">{id}</span>
              </p>
              <button type="button" className="small" onClick={() => invite(true)}>
                Sign-in link
              </button>
            </div>
            <nav aria-label={`Pages of ${name}`}>
              <ul className="tabs">
                {pages.map(([page, title]) => (
                  <li key={page}>
                    <Link root to={page ? `${base}/${page}` : base} current={page === at}>
                      {title}
                    </Link>
                  </li>
                ))}
              </ul>
            </nav>
          </>
        )}
      </section>
      {missing ? (
        <NotFound what="There is no provider with this id." />
      ) : (
        <Show of={provider} rows={8}>
          {(one) => <ProviderPages provider={one} parts={parts} onSaved={provider.set} />}
        </Show>
      )}
      {inviting && <Invite id={id} onClose={() => invite(false)} />}
    </ViewerProvider>
  );
}

/** Creates a temporary link that signs in as the provider. */
function Invite({ id, onClose }: { id: string; onClose: () => void }) {
  const [hours, setHours] = useState("24");
  const [link, setLink] = useState<PortalLink>();
  const { busy, error, run } = useAction();
  if (link)
    return (
      <Dialog title="Send this link" onClose={onClose}>
        <div className="form">
          <p>
            Anyone with this link can view and change this provider until {exactly(link.expires_at * 1000)}.
            It is shown only once.
          </p>
          <Copy text={link.url} label="Sign-in link" />
          <div className="actions end">
            <button type="button" className="primary" onClick={onClose}>
              Done
            </button>
          </div>
        </div>
      </Dialog>
    );
  return (
    <FormDialog
      title="Create a sign-in link"
      submit="Create"
      busy={busy}
      error={error === "Not found" ? "This session service makes no sign-in links yet." : error}
      onClose={onClose}
      onSubmit={() =>
        run(async () =>
          setLink(
            await post<PortalLink>("/api/v1/portal", {
              provider_id: id,
              expires_in_seconds: Number(hours) * 3600,
            }),
          ),
        )
      }
    >
      <p>For people without a key or an account. The link opens this provider's dashboard only.</p>
      <Select
        label="Good for"
        value={hours}
        onChoose={setHours}
        options={[
          ["1", "1 hour"],
          ["24", "1 day"],
        ]}
      />
    </FormDialog>
  );
}
