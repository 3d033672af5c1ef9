import { useState } from "react";
import { get, post } from "../api";
import { words } from "../format";
import { useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Field, Radios, Select } from "../parts/form";
import { day, KeyTable, useKeys } from "../parts/keys";
import { Badge, Panel, Show, Title } from "../parts/states";
import { Table } from "../parts/table";
import type { MadeKey, Provider, SigningKey } from "../types";

export function Keys() {
  return (
    <>
      <Title text="Keys">API keys and the keys that sign launch links.</Title>
      <ApiKeys />
      <SigningKeys />
    </>
  );
}

function ApiKeys() {
  const { list, filter, pager, make, revoke, dialogs } = useKeys("/api/v1/apikeys", (props) => (
    <MakeKey {...props} />
  ));
  return (
    <Panel
      id="apikeys"
      title="API keys"
      note="Each may do what its role may. sessiongate apikey does the same on the machine itself."
      aside={
        <>
          {filter}
          <button type="button" className="primary" onClick={make}>
            Create key
          </button>
        </>
      }
    >
      <Show of={list}>
        {({ keys }) => (
          <>
            <KeyTable keys={keys} roles onRevoke={revoke} />
            {pager}
          </>
        )}
      </Show>
      {dialogs}
    </Panel>
  );
}

type Role = "marketplace" | "provider" | "edge" | "admin";
const MOST_LISTED = 200;

function MakeKey({ onClose, onMade }: { onClose: () => void; onMade: (key: MadeKey) => void }) {
  const [role, setRole] = useState<Role>("provider");
  const [provider, setProvider] = useState("");
  const [marketplace, setMarketplace] = useState("");
  const [name, setName] = useState("");
  const { busy, error, run } = useAction();
  const path = `/api/v1/providers?limit=${MOST_LISTED}`;
  const list = useLoad(path, (signal) => get<{ providers: Provider[]; next_cursor?: string }>(path, signal));
  const known = list.data && !list.data.next_cursor ? list.data.providers : undefined;
  return (
    <FormDialog
      title="Create an API key"
      submit="Create"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          if (role === "provider" && !provider.trim()) throw new Error("Choose the provider.");
          onMade(
            await post<MadeKey>("/api/v1/apikeys", {
              role,
              name: name.trim(),
              ...(role === "provider" && { provider_id: provider.trim() }),
              ...(role === "marketplace" && marketplace.trim() && { marketplace_id: marketplace.trim() }),
            }),
          );
        })
      }
    >
      <Field
        label="Label"
        required
        max={100}
        value={name}
        onInput={setName}
        placeholder="billing server"
        hint="Where it is used, or by whom."
      />
      <Radios
        label="Role"
        value={role}
        onChoose={setRole}
        options={[
          ["provider", "Provider", "Sees one provider's sessions and figures, changes its settings."],
          ["marketplace", "Marketplace", "Sells sessions, and moves the tokens of its own users."],
          ["edge", "Edge", "Lets sessions in: for a gate's configuration."],
          ["admin", "Administrator", "Everything here. Who has it can make more keys."],
        ]}
      />
      {role === "marketplace" && (
        <Field
          label="Marketplace id"
          value={marketplace}
          onInput={setMarketplace}
          placeholder="mkt_default"
          hint="Whose users and sessions the key is for. Empty: mkt_default."
        />
      )}
      {role === "provider" &&
        (known ? (
          <Select
            label="Provider"
            value={provider}
            onChoose={setProvider}
            options={[
              ["", "Choose…"],
              ...known.map(({ id, name: called }) => [id, `${called} (${id})`] as const),
            ]}
          />
        ) : (
          <Field label="Provider id" required value={provider} onInput={setProvider} placeholder="prov_…" />
        ))}
    </FormDialog>
  );
}

function SigningKeys() {
  const list = useLoad("signing", (signal) => get<{ keys: SigningKey[] }>("/api/v1/keys/signing", signal));
  return (
    <Panel
      id="signing"
      title="Signing keys"
      note="Rotated automatically. To rotate them yourself, run sessiongate keys."
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
