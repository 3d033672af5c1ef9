import { useState } from "react";
import { get, remove } from "../api";
import { ago, date, exactly, words } from "../format";
import { useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Badge, Empty, Panel, Show, Time, Title } from "../parts/states";
import { Table } from "../parts/table";
import type { ApiKey, SigningKey } from "../types";

const day = (at: number | undefined) =>
  at ? (
    <Time ms={at * 1000} show={date(at * 1000)} title={exactly(at * 1000)} />
  ) : (
    <span className="muted">–</span>
  );

export function Keys() {
  return (
    <>
      <Title text="Keys">Who may call the API, and what signs launch links.</Title>
      <ApiKeys />
      <SigningKeys />
    </>
  );
}

function stateOf({ revoked_at, expires_at, kind }: ApiKey): { name: string; tone: string } {
  if (revoked_at) return { name: "Revoked", tone: "" };
  if (expires_at && expires_at * 1000 <= Date.now()) return { name: "Over", tone: "" };
  if (kind === "link") return { name: "Good for a while", tone: "good" };
  if (expires_at) return { name: "Being replaced", tone: "coin" };
  return { name: "Good", tone: "good" };
}

function ApiKeys() {
  const list = useLoad("apikeys", (signal) => get<{ keys: ApiKey[] }>("/api/v1/apikeys", signal));
  const [revoking, revoke] = useState<ApiKey>();
  const { busy, error, run, clear } = useAction();
  return (
    <Panel
      id="apikeys"
      title="API keys"
      note="New ones are made on the machine itself: sessiongate apikey create."
    >
      <Show
        of={list}
        missing="This session service does not list its keys here yet. Use: sessiongate apikey list."
      >
        {({ keys }) =>
          keys.length ? (
            <Table
              label="API keys"
              rows={keys}
              id={(one) => one.id}
              columns={[
                {
                  name: "Key",
                  show: ({ id, name }) => (
                    <div className="row-link">
                      <span className="strong wrap">{name || "without a name"}</span>
                      <span className="mono small-text">{id}</span>
                    </div>
                  ),
                },
                {
                  name: "Role",
                  show: ({ role, provider_id }) => (
                    <div className="row-link">
                      <span>{role}</span>
                      {provider_id && <span className="muted">{provider_id}</span>}
                    </div>
                  ),
                },
                { name: "State", show: (one) => <Badge tone={stateOf(one).tone}>{stateOf(one).name}</Badge> },
                {
                  name: "Used",
                  show: ({ last_used_at: at }) =>
                    at ? (
                      <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
                    ) : (
                      <span className="muted">never</span>
                    ),
                },
                { name: "Made", wide: true, show: ({ created_at }) => day(created_at) },
                {
                  name: "Action",
                  show: (one) =>
                    one.revoked_at ? null : (
                      <button type="button" className="small danger-quiet" onClick={() => revoke(one)}>
                        Revoke<span className="hidden"> {one.name || one.id}</span>
                      </button>
                    ),
                },
              ]}
            />
          ) : (
            <Empty title="No keys" />
          )
        }
      </Show>
      {revoking && (
        <FormDialog
          title="Revoke this key?"
          submit="Revoke it"
          danger
          busy={busy}
          error={error}
          onClose={() => {
            revoke(undefined);
            clear();
          }}
          onSubmit={() =>
            run(async () => {
              await remove(`/api/v1/apikeys/${encodeURIComponent(revoking.id)}`);
              revoke(undefined);
              list.reload();
            })
          }
        >
          <p>
            <span className="strong">{revoking.name || revoking.id}</span> ({revoking.role}) stops working at
            once, and who signed in with it is signed out. This can't be undone.
          </p>
        </FormDialog>
      )}
    </Panel>
  );
}

function SigningKeys() {
  const list = useLoad("signing", (signal) => get<{ keys: SigningKey[] }>("/api/v1/keys/signing", signal));
  return (
    <Panel
      id="signing"
      title="Signing keys"
      note="They are replaced by themselves. sessiongate keys does it by hand."
    >
      <Show
        of={list}
        missing="This session service does not list its signing keys here yet. Use: sessiongate keys list."
      >
        {({ keys }) => (
          <Table
            label="Signing keys"
            rows={keys}
            id={(one) => one.kid}
            columns={[
              { name: "Key", show: ({ kid }) => <span className="mono wrap">{kid}</span> },
              {
                name: "State",
                show: ({ state }) => (
                  <Badge tone={/active|current|signing/.test(state) ? "good" : ""}>{words(state)}</Badge>
                ),
              },
              { name: "Made", show: ({ created_at }) => day(created_at) },
              { name: "Retired", show: ({ retired_at }) => day(retired_at) },
            ]}
          />
        )}
      </Show>
    </Panel>
  );
}
