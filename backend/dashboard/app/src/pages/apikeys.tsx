import { useState } from "react";
import { of, post } from "../api";
import { exactly } from "../format";
import { useAction } from "../load";
import { FormDialog } from "../parts/dialog";
import { Field } from "../parts/form";
import { KeyTable, useKeys } from "../parts/keys";
import { Panel, Show } from "../parts/states";
import { Link, useViewer } from "../router";
import type { MadeKey } from "../types";

/** A provider's keys, for its programs and for signing in. */
export function ProviderKeys({ providerId }: { providerId: string }) {
  const { me, reading } = useViewer();
  const path = of(providerId, "/apikeys");
  const { list, filter, pager, make, revoke, dialogs } = useKeys(path, (props) => (
    <MakeKey path={path} {...props} />
  ));
  const canCreate = !reading && !me.expires_at;
  return (
    <Panel
      id="apikeys"
      title="API keys"
      note="Programs use a key to read statistics and sessions and to change these settings. You can also sign in with one."
      aside={
        <>
          {filter}
          {canCreate && (
            <button type="button" onClick={make}>
              Create key
            </button>
          )}
        </>
      }
    >
      {reading ? (
        <p className="muted">
          The provider creates and revokes its own keys. To do it yourself, go to{" "}
          <Link root to="/operator/keys">
            Keys
          </Link>
          .
        </p>
      ) : (
        me.expires_at && (
          <p className="notice">
            {me.guest
              ? "You signed in with a link that expires"
              : "You signed in with a key that was replaced and expires"}{" "}
            {exactly(me.expires_at * 1000)}. A key made now would outlive it.{" "}
            {me.guest ? "Ask the operator for a key of your own." : "Sign in with the new one."}
          </p>
        )
      )}
      <Show of={list} rows={3}>
        {({ keys }) => (
          <>
            <KeyTable keys={keys} onRevoke={reading || me.guest ? undefined : revoke} />
            {pager}
          </>
        )}
      </Show>
      {dialogs}
    </Panel>
  );
}

interface MakeKeyProps {
  path: string;
  onClose: () => void;
  onMade: (key: MadeKey) => void;
}

function MakeKey({ path, onClose, onMade }: MakeKeyProps) {
  const [name, setName] = useState("");
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Create an API key"
      submit="Create"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() => run(async () => onMade(await post<MadeKey>(path, { name: name.trim() })))}
    >
      <Field
        label="Label"
        required
        max={100}
        value={name}
        onInput={setName}
        placeholder="billing server"
        hint="Where the key is used, so that you recognize it later."
      />
      <p className="muted">
        The key has the same access as you. Keep it on a server: in a page, anyone can read it.
      </p>
    </FormDialog>
  );
}
