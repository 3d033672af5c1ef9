import { type ReactNode, useState } from "react";
import { get, remove, search } from "../api";
import { ago, date, exactly, moment } from "../format";
import { useAction, useLoad } from "../load";
import { useViewer } from "../router";
import type { ApiKey, MadeKey } from "../types";
import { Copy } from "./copy";
import { Dialog, FormDialog } from "./dialog";
import { Badge, Empty, Time } from "./states";
import { type Column, Pager, Table } from "./table";

const PAGE = 50;
type Shown = "live" | "all";

const isOver = ({ expires_at }: ApiKey) => !!expires_at && expires_at * 1000 <= Date.now();
const isLive = (key: ApiKey) => !key.revoked_at && !isOver(key);

function stateOf(key: ApiKey): { name: string; tone: string } {
  if (key.revoked_at) return { name: "Revoked", tone: "" };
  if (isOver(key)) return { name: "Expired", tone: "" };
  if (key.expires_at) return { name: `Until ${moment(key.expires_at * 1000)}`, tone: "coin" };
  return { name: "Active", tone: "good" };
}

export const day = (at: number | undefined) =>
  at ? (
    <Time ms={at * 1000} show={date(at * 1000)} title={exactly(at * 1000)} />
  ) : (
    <span className="muted">–</span>
  );

export const nameOfKey = ({ name, kind }: ApiKey): string =>
  kind === "link" ? "Sign-in link" : name || "Unnamed";

/** Chooses whether expired and revoked keys are shown. */
function KeyFilter({ onChoose }: { onChoose: (shown: Shown) => void }) {
  return (
    <select
      aria-label="Which keys"
      onChange={(event: Event) => onChoose((event.target as HTMLSelectElement).value as Shown)}
    >
      <option value="live">Active</option>
      <option value="all">All, including revoked</option>
    </select>
  );
}

interface KeyTableProps {
  keys: ApiKey[];
  /** Shows the role of each key. */
  roles?: boolean;
  /** If undefined, keys cannot be revoked here. */
  onRevoke?: ((key: ApiKey) => void) | undefined;
}

export function KeyTable({ keys, roles, onRevoke }: KeyTableProps) {
  const { me } = useViewer();
  if (!keys.length)
    return <Empty title="No active keys">Create a key for each program that calls the API.</Empty>;
  const columns: Column<ApiKey>[] = [
    {
      name: "Key",
      show: (one) => (
        <div className="row-link">
          <span className="strong wrap">
            {nameOfKey(one)}
            {one.id === me.key_id && " (current)"}
          </span>
          <span className="mono small-text">{one.hint}…</span>
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
    { name: "Made", show: ({ created_at }) => day(created_at) },
  ];
  if (roles)
    columns.splice(1, 0, {
      name: "Role",
      show: ({ role, provider_id, marketplace_id }) => (
        <div className="row-link">
          <span>{role}</span>
          {(provider_id ?? marketplace_id) && (
            <span className="muted wrap">{provider_id ?? marketplace_id}</span>
          )}
        </div>
      ),
    });
  if (onRevoke)
    columns.push({
      name: "Action",
      show: (one) =>
        isLive(one) ? (
          <button type="button" className="small danger-quiet" onClick={() => onRevoke(one)}>
            Revoke<span className="hidden"> {one.name || one.id}</span>
          </button>
        ) : null,
    });
  return <Table label="API keys" rows={keys} id={(one) => one.id} columns={columns} />;
}

interface RevokeKeyProps {
  of: ApiKey;
  /** The API path of the key. */
  path: string;
  onClose: () => void;
  onDone: () => void;
}

function RevokeKey({ of: key, path, onClose, onDone }: RevokeKeyProps) {
  const { me } = useViewer();
  const { busy, error, run } = useAction();
  const own = key.id === me.key_id;
  return (
    <FormDialog
      title={key.kind === "link" ? "Revoke this sign-in link?" : "Revoke this key?"}
      submit={own ? "Revoke and sign out" : "Revoke"}
      danger
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          await remove(path);
          if (own) location.assign("/auth/");
          else onDone();
        })
      }
    >
      {own && (
        <div className="notice warn">
          <p>
            <span className="strong">You are signed in with this key.</span> Revoking it signs you out at
            once; you need another one to come back.
          </p>
        </div>
      )}
      <p className="wrap">
        <span className="strong">{nameOfKey(key)}</span> ({key.role},{" "}
        <span className="mono">{key.hint}…</span>) stops working immediately, and everyone signed in with it
        is signed out. This can't be undone.
      </p>
    </FormDialog>
  );
}

/** Shows a new key, which cannot be shown again. */
function KeyDialog({ made, onClose }: { made: MadeKey; onClose: () => void }) {
  return (
    <Dialog title="Your new API key" onClose={onClose}>
      <div className="form">
        <p>
          <span className="strong">It is shown only once</span>: copy it now. Anyone who has it has the access
          of “{made.key.name}”. If you lose it, revoke it and create another.
        </p>
        <Copy text={made.secret} label="API key" />
        <div className="actions end">
          <button type="button" className="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </div>
    </Dialog>
  );
}

interface MakeProps {
  onClose: () => void;
  onMade: (key: MadeKey) => void;
}

/** The keys at an API path, newest first and page by page, and the dialogs that create, show and
 *  revoke them. */
export function useKeys(path: string, dialog: (props: MakeProps) => ReactNode) {
  const [which, setWhich] = useState<Shown>("live");
  // The cursors of the pages up to the current one, of which the first has none.
  const [cursors, setCursors] = useState<string[]>([]);
  const at =
    path + search({ status: which === "live" ? "active" : undefined, cursor: cursors.at(-1), limit: PAGE });
  const list = useLoad(at, (signal) => get<{ keys: ApiKey[]; next_cursor?: string }>(at, signal));
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<MadeKey>();
  const [revoking, revoke] = useState<ApiKey>();
  const onMade = (key: MadeKey) => {
    setMaking(false);
    setMade(key);
    setCursors([]); // the new key is on the first page
    list.reload();
  };
  const onRevoked = () => {
    revoke(undefined);
    list.reload();
  };
  const dialogs = (
    <>
      {making && dialog({ onClose: () => setMaking(false), onMade })}
      {made && <KeyDialog made={made} onClose={() => setMade(undefined)} />}
      {revoking && (
        <RevokeKey
          of={revoking}
          path={`${path}/${encodeURIComponent(revoking.id)}`}
          onClose={() => revoke(undefined)}
          onDone={onRevoked}
        />
      )}
    </>
  );
  const filter = (
    <KeyFilter
      onChoose={(shown) => {
        setWhich(shown);
        setCursors([]);
      }}
    />
  );
  const next = list.data?.next_cursor;
  const pager = (
    <Pager
      newer={cursors.length > 0}
      older={!!next}
      busy={list.busy}
      onNewer={() => setCursors(cursors.slice(0, -1))}
      onOlder={() => next && setCursors([...cursors, next])}
    />
  );
  return { list, filter, pager, make: () => setMaking(true), revoke, dialogs };
}
