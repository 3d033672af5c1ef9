import { useState } from "react";
import { get, post, search } from "../api";
import { count, date, exactly, lines } from "../format";
import { useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Field } from "../parts/form";
import { Empty, Panel, Show, Time, Title } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { go, Link, ROOT, useRoute, withQuery } from "../router";
import type { Provider } from "../types";

const PAGE = 50;

export function Providers() {
  const { query } = useRoute();
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
        Providers whose apps are protected by this service.
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
                        <Link to={`/providers/${id}`} className="row-link">
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
              <Empty title="No providers yet">
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
          go(`${ROOT}/providers/${made.id}/settings`);
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
