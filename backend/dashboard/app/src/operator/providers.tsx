import { useState } from "react";
import { get, of, post, search } from "../api";
import { count, date, exactly, lines } from "../format";
import { useAction, useLoad } from "../load";
import { CheckPanel, Pages } from "../pages/health";
import { SettingsForms } from "../pages/settings";
import { Copy } from "../parts/copy";
import { Dialog, FormDialog } from "../parts/dialog";
import { Field, Select } from "../parts/form";
import { Empty, Panel, Show, Time, Title } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { go, Link, ROOT, usePlace, withQuery } from "../router";
import type { PortalLink, Provider } from "../types";

const PAGE = 50;

export function Providers() {
  const { query } = usePlace();
  const cursor = query.get("after") ?? undefined;
  const path = `/api/v1/providers${search({ cursor, limit: PAGE })}`;
  const list = useLoad(path, (signal) => get<{ providers: Provider[]; next_cursor?: string }>(path, signal));
  const [adding, setAdding] = useState(false);
  return (
    <>
      <Title
        text="Providers"
        aside={
          <button type="button" className="primary" onClick={() => setAdding(true)}>
            Add a provider
          </button>
        }
      >
        Whose apps are gated here.
      </Title>
      <Panel id="providers" title="All providers">
        <Show of={list}>
          {({ providers, next_cursor }) =>
            providers.length ? (
              <>
                <Table
                  label="Providers"
                  rows={providers}
                  id={(one) => one.id}
                  busy={list.busy}
                  columns={[
                    {
                      name: "Provider",
                      show: ({ id, name }) => (
                        <Link to={`/operator/providers/${id}`} className="row-link">
                          <span className="strong wrap">{name}</span>
                          <span className="mono small-text">{id}</span>
                        </Link>
                      ),
                    },
                    {
                      name: "Domains",
                      show: ({ domains }) => <span className="wrap">{domains.join(", ") || "none yet"}</span>,
                    },
                    {
                      name: "Origin",
                      wide: true,
                      show: ({ origin_url }) => <span className="wrap">{origin_url || "none yet"}</span>,
                    },
                    {
                      name: "Since",
                      show: ({ created_at: at }) => (
                        <Time ms={at * 1000} show={date(at * 1000)} title={exactly(at * 1000)} />
                      ),
                    },
                  ]}
                />
                <Pager
                  newer={!!cursor}
                  older={!!next_cursor}
                  busy={list.busy}
                  onNewer={() => history.back()}
                  onOlder={() => go(withQuery({ after: next_cursor }))}
                  note={count(providers.length, "provider")}
                />
              </>
            ) : (
              <Empty title="No provider yet">
                Add the first one, and send them a link to set up their app.
              </Empty>
            )
          }
        </Show>
      </Panel>
      {adding && <AddProvider onClose={() => setAdding(false)} />}
    </>
  );
}

function AddProvider({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [id, setId] = useState("");
  const [hosts, setHosts] = useState("");
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Add a provider"
      submit="Add it"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          const made = await post<Provider>("/api/v1/providers", {
            name,
            ...(id.trim() && { id: id.trim() }),
            policies: { return_hosts: lines(hosts) },
          });
          go(`${ROOT}/operator/providers/${made.id}`);
        })
      }
    >
      <Field label="Name" required max={200} value={name} onInput={setName} />
      <Field
        label="Id"
        value={id}
        onInput={setId}
        max={64}
        placeholder="prov_…"
        hint="In the API and the edge's configuration. Empty: one is made."
      />
      <Field
        label="Return hosts"
        lines={2}
        value={hosts}
        onInput={setHosts}
        placeholder="market.example.com"
        hint="The marketplace's hosts, where users go at the end. One a line."
      />
      <p className="muted">Domain, origin and the rest are set by the provider, step by step.</p>
    </FormDialog>
  );
}

/** One provider, as the operator sees it. */
export function ProviderPage({ id }: { id: string }) {
  const path = of(id);
  const provider = useLoad(path, (signal) => get<Provider>(path, signal));
  const [inviting, invite] = useState(false);
  return (
    <>
      <Title
        text={provider.data?.name ?? "Provider"}
        aside={
          <>
            <Link to="/operator/providers">All providers</Link>
            <button type="button" className="primary" onClick={() => invite(true)}>
              Sign-in link
            </button>
          </>
        }
      >
        <span className="mono">{id}</span>
      </Title>
      <Show of={provider} missing="There is no provider with this id.">
        {(one) => (
          <>
            <SettingsForms provider={one} admin onSaved={provider.set} />
            <CheckPanel provider={one} />
            <Pages providerId={one.id} />
          </>
        )}
      </Show>
      {inviting && <Invite id={id} onClose={() => invite(false)} />}
    </>
  );
}

/** A link that signs in as this provider, for a while. */
function Invite({ id, onClose }: { id: string; onClose: () => void }) {
  const [hours, setHours] = useState("24");
  const [link, setLink] = useState<PortalLink>();
  const { busy, error, run } = useAction();
  if (link)
    return (
      <Dialog title="Send this link" onClose={onClose}>
        <div className="form">
          <p>
            Whoever opens it can see and change this provider until {exactly(link.expires_at * 1000)}. It is
            shown this once.
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
      title="Make a sign-in link"
      submit="Make it"
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
      <p>
        For somebody without a key or an account here: it opens this provider's dashboard, and nothing else.
      </p>
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
