import { useState } from "react";
import { post } from "../api";
import { useAction } from "../load";
import { TimelinePanel } from "../pages/session";
import { FormDialog } from "../parts/dialog";
import { Field, Radios } from "../parts/form";
import { Empty, Title } from "../parts/states";
import { go, ROOT } from "../router";

/** Finds a session by its id, shows its timeline, and revokes it. */
export function OperatorSessions({ id }: { id: string | undefined }) {
  const [query, setQuery] = useState(id ?? "");
  const [revoking, revoke] = useState(false);
  const [changes, setChanges] = useState(0);
  const [status, setStatus] = useState("");
  return (
    <>
      <Title
        text="Sessions"
        aside={
          id && (
            <button type="button" className="danger-quiet" onClick={() => revoke(true)}>
              Revoke
            </button>
          )
        }
      >
        View any session, or revoke it and refund tokens.
      </Title>
      <form
        className="filters"
        aria-label="Search"
        onSubmit={(event: Event) => {
          event.preventDefault();
          setStatus("");
          if (query.trim()) go(`${ROOT}/operator/sessions/${encodeURIComponent(query.trim())}`);
        }}
      >
        <label className="grow">
          <span>Session id</span>
          <input
            type="search"
            value={query}
            placeholder="0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11"
            spellcheck={false}
            onInput={(event: Event) => setQuery((event.target as HTMLInputElement).value)}
          />
        </label>
        <button type="submit">Show</button>
      </form>
      <p role="status" className={status ? "notice good" : "hidden"}>
        {status}
      </p>
      {id ? (
        <TimelinePanel key={id} id={id} changes={changes} />
      ) : (
        <Empty title="Find a session">The marketplace's receipt and each webhook carry its id.</Empty>
      )}
      {revoking && id && (
        <Revoke
          id={id}
          onClose={() => revoke(false)}
          onDone={(text) => {
            revoke(false);
            setStatus(text);
            setChanges((n) => n + 1);
          }}
        />
      )}
    </>
  );
}

type Refund = "full" | "prorated" | "none";
interface Revoked {
  session: { settlement?: { captured: number; released: number } };
}

function Revoke({
  id,
  onClose,
  onDone,
}: {
  id: string;
  onClose: () => void;
  onDone: (text: string) => void;
}) {
  const [refund, setRefund] = useState<Refund>("full");
  const [reason, setReason] = useState("");
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Revoke this session?"
      submit="Revoke"
      danger
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          const { session } = await post<Revoked>(`/api/v1/sessions/${encodeURIComponent(id)}/revoke`, {
            refund,
            reason,
          });
          const { captured = 0, released = 0 } = session?.settlement ?? {};
          onDone(`Revoked. The provider keeps ${captured}, the user gets back ${released}.`);
        })
      }
    >
      <p>
        It ends now: its user is cut off within a second. This can't be undone, and stands in the audit log.
      </p>
      <Radios
        label="The user gets back"
        value={refund}
        onChoose={setRefund}
        options={[
          ["full", "Everything", "As if it had never been sold."],
          ["prorated", "What was not used", "The provider keeps the seconds that were used."],
          ["none", "Nothing", "The provider keeps the whole price."],
        ]}
      />
      <Field
        label="Reason"
        required
        max={200}
        value={reason}
        onInput={setReason}
        placeholder="chargeback"
        hint="For the record: the session, its webhooks and the audit log carry it."
      />
    </FormDialog>
  );
}
