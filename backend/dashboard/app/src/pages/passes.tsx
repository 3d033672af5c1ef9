import { useState } from "react";
import { get, of, post, remove, search } from "../api";
import { ago, date, exactly, moment, number } from "../format";
import { useAction, useLoad } from "../load";
import { Copy } from "../parts/copy";
import { Dialog, FormDialog } from "../parts/dialog";
import { Field, Radios, Select } from "../parts/form";
import { Badge, Empty, Panel, Problem, Show, Time } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { useViewer } from "../router";
import type { MadePass, Pass, Provider } from "../types";
import { SettingsHead } from "./tabs";

const PAGE = 50;
const DAY_S = 86_400;
/** A pass that is for one look. */
const TRY_S = 3600;

/** Links that let people into the app without a sale. */
export function Passes({ provider }: { provider: Provider }) {
  const { reading, me } = useViewer();
  const base = of(provider.id, "/passes");
  const [cursors, setCursors] = useState<string[]>([]);
  const path = `${base}${search({ cursor: cursors.at(-1), limit: PAGE })}`;
  const list = useLoad(path, (signal) => get<{ passes: Pass[]; next_cursor?: string }>(path, signal));
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<MadePass>();
  const [revoking, revoke] = useState<Pass>();
  const next = list.data?.next_cursor;
  const onMade = (pass: MadePass) => {
    setMaking(false);
    setMade(pass);
    setCursors([]); // the new pass is on the first page
    list.reload();
  };
  return (
    <>
      <SettingsHead at="passes">
        Links that open your app without a sale. Nothing is charged for them.
      </SettingsHead>
      {!reading && <TryIt providerId={provider.id} />}
      <Panel
        id="passes"
        title="Passes"
        note="Anyone with a pass's link can use it until it expires or you revoke it. Its sessions then end at once."
        aside={
          !reading && (
            <button type="button" onClick={() => setMaking(true)}>
              Create a pass
            </button>
          )
        }
      >
        <Show of={list} rows={3}>
          {({ passes }) =>
            passes.length ? (
              <>
                <PassTable
                  passes={passes}
                  busy={list.busy}
                  onRevoke={reading || me.guest ? undefined : revoke}
                />
                <Pager
                  newer={cursors.length > 0}
                  older={!!next}
                  busy={list.busy}
                  onNewer={() => setCursors(cursors.slice(0, -1))}
                  onOlder={() => next && setCursors([...cursors, next])}
                />
              </>
            ) : (
              <Empty title="No passes yet">
                {reading ? "The provider has made none." : "Create one for your own people, or try your app."}
              </Empty>
            )
          }
        </Show>
      </Panel>
      {making && <MakePass path={base} guest={me.guest} onClose={() => setMaking(false)} onMade={onMade} />}
      {made && <PassDialog pass={made} onClose={() => setMade(undefined)} />}
      {revoking && (
        <RevokePass
          pass={revoking}
          path={`${base}/${encodeURIComponent(revoking.id)}`}
          onClose={() => revoke(undefined)}
          onDone={() => {
            revoke(undefined);
            list.reload();
          }}
        />
      )}
    </>
  );
}

function stateOf({ revoked_at, expires_at }: Pass): { name: string; tone: string; over: boolean } {
  if (revoked_at) return { name: "Revoked", tone: "", over: true };
  if (expires_at * 1000 <= Date.now()) return { name: "Expired", tone: "", over: true };
  return { name: `Until ${moment(expires_at * 1000)}`, tone: "good", over: false };
}

interface PassTableProps {
  passes: Pass[];
  busy: boolean;
  onRevoke: ((pass: Pass) => void) | undefined;
}

function PassTable({ passes, busy, onRevoke }: PassTableProps) {
  return (
    <Table
      label="Passes"
      rows={passes}
      id={({ id }) => id}
      busy={busy}
      columns={[
        {
          name: "Pass",
          show: ({ kind, label, id }) => (
            <span className="row-link">
              <span className="strong wrap">{label || (kind === "staff" ? "Staff" : "Preview")}</span>
              <span className="mono small-text">…{id.slice(-12)}</span>
            </span>
          ),
        },
        { name: "Kind", show: ({ kind }) => (kind === "staff" ? "Staff" : "Preview") },
        {
          name: "State",
          show: (pass) => {
            const { name, tone } = stateOf(pass);
            return <Badge tone={tone}>{name}</Badge>;
          },
        },
        { name: "Entries", number: true, show: ({ entries }) => number(entries) },
        {
          name: "Last used",
          show: ({ last_used_at: at }) =>
            at ? (
              <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
            ) : (
              <span className="muted">never</span>
            ),
        },
        {
          name: "Created",
          wide: true,
          show: ({ created_at: at }) => (
            <Time ms={at * 1000} show={date(at * 1000)} title={exactly(at * 1000)} />
          ),
        },
        {
          name: "Action",
          show: (pass) =>
            onRevoke &&
            !stateOf(pass).over && (
              <button type="button" className="small danger-quiet" onClick={() => onRevoke(pass)}>
                Revoke<span className="hidden"> {pass.label || pass.id}</span>
              </button>
            ),
        },
      ]}
    />
  );
}

interface MakePassProps {
  path: string;
  guest: boolean;
  onClose: () => void;
  onMade: (pass: MadePass) => void;
}

function MakePass({ path, guest, onClose, onMade }: MakePassProps) {
  const [kind, setKind] = useState<Pass["kind"]>(guest ? "preview" : "staff");
  const [label, setLabel] = useState("");
  const [days, setDays] = useState("30");
  const { busy, error, run } = useAction();
  const kinds = [
    [
      "staff",
      "Staff",
      "For your own people: sessions of up to 12 hours, also during maintenance and when you are full.",
    ],
    ["preview", "Preview", "The app with its clock, the warning and the end, in two minutes."],
  ] as const;
  return (
    <FormDialog
      title="Create a pass"
      submit="Create"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () =>
          onMade(
            await post<MadePass>(path, {
              kind,
              ...(label.trim() && { label: label.trim() }),
              expires_in_seconds: Number(days) * DAY_S,
            }),
          ),
        )
      }
    >
      <Radios label="Kind" value={kind} onChoose={setKind} options={guest ? [kinds[1]] : kinds} />
      <Field
        label="Label"
        max={100}
        value={label}
        onInput={setLabel}
        placeholder="QA team"
        hint="Who has it, so that you recognize it later."
      />
      <Select
        label="Good for"
        value={days}
        onChoose={setDays}
        options={[
          ["1", "1 day"],
          ["7", "7 days"],
          ["30", "30 days"],
          ["365", "1 year"],
        ]}
      />
    </FormDialog>
  );
}

function PassDialog({ pass, onClose }: { pass: MadePass; onClose: () => void }) {
  return (
    <Dialog title={pass.kind === "staff" ? "Your staff pass" : "Your preview pass"} onClose={onClose}>
      <div className="form">
        <p>
          The link is shown only once. Anyone who has it can open your app until{" "}
          {exactly(pass.expires_at * 1000)}.
        </p>
        <Copy text={pass.url} label="Link of the pass" />
        <div className="actions end">
          <a className="button" href={pass.url} target="_blank" rel="noreferrer">
            Open the app
          </a>
          <button type="button" className="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </div>
    </Dialog>
  );
}

interface RevokeProps {
  pass: Pass;
  path: string;
  onClose: () => void;
  onDone: () => void;
}

function RevokePass({ pass, path, onClose, onDone }: RevokeProps) {
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Revoke this pass?"
      submit="Revoke"
      danger
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          await remove(path);
          onDone();
        })
      }
    >
      <p>
        <span className="strong wrap">{pass.label || pass.id}</span> opens nothing from now on, and the
        sessions that it opened end. This can't be undone.
      </p>
    </FormDialog>
  );
}

/** Opens the app as a user sees it, with a pass made for this one look. */
export function TryIt({ providerId }: { providerId: string }) {
  const [pass, setPass] = useState<MadePass>();
  const { busy, error, run } = useAction();
  return (
    <Panel
      id="try-it"
      title="Try it"
      note="Opens your app for two minutes as a user sees it: the clock, the warning after one minute, and the end."
    >
      {error && <Problem text={error} />}
      <div className="actions" role="status">
        {pass ? (
          <>
            <a className="button primary" href={pass.url} target="_blank" rel="noreferrer">
              Open the app
            </a>
            <span className="muted">The link works for an hour.</span>
          </>
        ) : (
          <button
            type="button"
            className="primary"
            disabled={busy}
            onClick={() =>
              run(async () =>
                setPass(
                  await post<MadePass>(of(providerId, "/passes"), {
                    kind: "preview",
                    label: "Try it",
                    expires_in_seconds: TRY_S,
                  }),
                ),
              )
            }
          >
            {busy ? "Working…" : "Try it"}
          </button>
        )}
      </div>
    </Panel>
  );
}
