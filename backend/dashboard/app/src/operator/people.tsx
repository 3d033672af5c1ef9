import { useState } from "react";
import { get, post, remove, search } from "../api";
import { ago, clock, count, date, exactly } from "../format";
import { useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Field, Radios } from "../parts/form";
import { Empty, Panel, Show, Time, Title } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { go, useRoute, withQuery } from "../router";
import type { AuditEntry, Person } from "../types";

const PAGE = 50;

export function People() {
  const { query } = useRoute();
  const cursor = query.get("after") ?? undefined;
  const path = `/api/v1/people${search({ cursor, limit: PAGE })}`;
  const list = useLoad(path, (signal) => get<{ people: Person[]; next_cursor?: string }>(path, signal));
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Person>();
  const { busy, error, run, clear } = useAction();
  return (
    <>
      <Title
        text="People"
        aside={
          <button type="button" className="primary" onClick={() => setAdding(true)}>
            Add a person
          </button>
        }
      >
        People who can sign in through the identity provider.
      </Title>
      <Panel id="people" title="Roles">
        <Show of={list}>
          {({ people, next_cursor }) =>
            people.length ? (
              <>
                <Table
                  label="People"
                  rows={people}
                  id={(one) => one.id}
                  busy={list.busy}
                  columns={[
                    { name: "Person", show: ({ email }) => <span className="strong wrap">{email}</span> },
                    {
                      name: "Role",
                      show: ({ role, provider_id }) => (
                        <span className="wrap">
                          {provider_id ? `Provider ${provider_id}` : role === "admin" ? "Admin" : role}
                        </span>
                      ),
                    },
                    {
                      name: "Last sign-in",
                      show: ({ last_seen_at: at }) =>
                        at ? (
                          <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
                        ) : (
                          <span className="muted">never</span>
                        ),
                    },
                    {
                      name: "Action",
                      show: (one) => (
                        <button type="button" className="small danger-quiet" onClick={() => setRemoving(one)}>
                          Remove<span className="hidden"> {one.email}</span>
                        </button>
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
                  note={count(people.length, "role")}
                />
              </>
            ) : (
              <Empty title="No people yet">
                If OpenID Connect is configured, the people listed here can sign in. API keys work without it.
              </Empty>
            )
          }
        </Show>
      </Panel>
      {adding && (
        <AddPerson
          onClose={() => setAdding(false)}
          onAdded={() => {
            setAdding(false);
            list.reload();
          }}
        />
      )}
      {removing && (
        <FormDialog
          title="Remove this role?"
          submit="Remove"
          danger
          busy={busy}
          error={error}
          onClose={() => {
            setRemoving(undefined);
            clear();
          }}
          onSubmit={() =>
            run(async () => {
              await remove(`/api/v1/people/${encodeURIComponent(removing.id)}`);
              setRemoving(undefined);
              list.reload();
            })
          }
        >
          <p>
            <span className="strong wrap">{removing.email}</span> loses this role and is signed out of it at
            once.
          </p>
        </FormDialog>
      )}
    </>
  );
}

function AddPerson({ onClose, onAdded }: { onClose: () => void; onAdded: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<"provider" | "admin">("provider");
  const [provider, setProvider] = useState("");
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Add a person"
      submit="Add"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          await post("/api/v1/people", {
            email: email.trim(),
            role,
            ...(role === "provider" && { provider_id: provider.trim() }),
          });
          onAdded();
        })
      }
    >
      <Field
        label="E-mail"
        type="email"
        required
        max={254}
        value={email}
        onInput={setEmail}
        hint="As the identity provider knows it."
      />
      <Radios
        label="May"
        value={role}
        onChoose={setRole}
        options={[
          ["provider", "See and change one provider", "Its sessions, webhooks and settings."],
          ["admin", "See and change everything", "All providers, keys, people and refunds."],
        ]}
      />
      {role === "provider" && (
        <Field label="Provider id" required value={provider} onInput={setProvider} placeholder="prov_…" />
      )}
    </FormDialog>
  );
}

const actions: Record<string, string> = {
  "create-provider": "Added a provider",
  "update-provider": "Changed a provider",
  "create-person": "Granted a role",
  "delete-person": "Removed a role",
  "revoke-session": "Revoked a session",
  "erase-user": "Erased a user",
  "create-portal-link": "Created a sign-in link",
  "create-api-key": "Created a key",
  "revoke-api-key": "Revoked a key",
  "create-provider-api-key": "Created a key (provider)",
  "revoke-provider-api-key": "Revoked a key (provider)",
};

export function Audit() {
  const { query } = useRoute();
  const cursor = query.get("after") ?? undefined;
  const path = `/api/v1/audit${search({ cursor, limit: PAGE })}`;
  const list = useLoad(path, (signal) => get<{ entries: AuditEntry[]; next_cursor?: string }>(path, signal));
  return (
    <>
      <Title text="Audit log">
        Actions by administrators, and API keys created or revoked, newest first. Entries cannot be changed.
      </Title>
      <Panel id="audit" title="Entries">
        <Show of={list}>
          {({ entries, next_cursor }) =>
            entries.length ? (
              <>
                <Table
                  label="Audit log"
                  rows={entries}
                  id={(one) => one.id}
                  busy={list.busy}
                  columns={[
                    {
                      name: "When",
                      show: ({ at }) => (
                        <Time
                          ms={at * 1000}
                          show={`${date(at * 1000)}, ${clock(at * 1000)}`}
                          title={exactly(at * 1000)}
                        />
                      ),
                    },
                    {
                      name: "What",
                      show: ({ action }) => <span className="strong">{actions[action] ?? action}</span>,
                    },
                    {
                      name: "On",
                      show: ({ target }) => (
                        <span className={target.length > 24 ? "mono wrap" : "mono"}>{target || "–"}</span>
                      ),
                    },
                    { name: "By", show: ({ actor }) => <span className="mono wrap">{actor}</span> },
                    {
                      name: "Request",
                      wide: true,
                      show: ({ request_id }) => <span className="mono small-text wrap">{request_id}</span>,
                    },
                  ]}
                />
                <Pager
                  newer={!!cursor}
                  older={!!next_cursor}
                  busy={list.busy}
                  onNewer={() => history.back()}
                  onOlder={() => go(withQuery({ after: next_cursor }))}
                  note={count(entries.length, "entry", "entries")}
                />
              </>
            ) : (
              <Empty title="Nothing yet">Administrator actions are recorded here.</Empty>
            )
          }
        </Show>
      </Panel>
    </>
  );
}
