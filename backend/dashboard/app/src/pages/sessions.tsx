import { useEffect, useState } from "react";
import { ApiError, get, of } from "../api";
import { clockLength, count, exactly, moment, number } from "../format";
import { useLive } from "../live";
import { useAction, useLoad } from "../load";
import { isTest } from "../mode";
import { Badge, Empty, Panel, Problem, Show, Time, Title, tones } from "../parts/states";
import { type Column, Pager, Table } from "../parts/table";
import { dayOf } from "../range";
import { go, Link, useRoute, withQuery } from "../router";
import type { Provider, Session, SessionPage, Status } from "../types";

export const statusNames: Record<Status, string> = {
  pending: "Waiting",
  active: "Active",
  paused: "Paused",
  completed: "Completed",
  expired: "Time ran out",
  revoked: "Revoked",
  canceled: "Canceled",
};

/** What is not live. */
const modeNames = { test: "Test sales", preview: "Preview passes", staff: "Staff passes" };

const PAGE = 50;
const EXPORT_PAGE = 200;
const MOST_EXPORTED = 10_000;

const columns: Column<Session>[] = [
  {
    name: "Session",
    show: ({ id, user_id, mode }) => (
      <Link to={`/sessions/${id}${mode && mode !== "live" ? `?mode=${mode}` : ""}`} className="row-link">
        <span className="strong wrap">{user_id}</span>
        <span className="mono small-text">…{id.slice(-12)}</span>
      </Link>
    ),
  },
  {
    name: "Sold",
    show: ({ created_at }) => (
      <Time ms={created_at * 1000} show={moment(created_at * 1000)} title={exactly(created_at * 1000)} />
    ),
  },
  {
    name: "Status",
    show: ({ status }) => <Badge tone={tones[status]}>{statusNames[status] ?? status}</Badge>,
  },
  { name: "Length", number: true, show: ({ duration_limit_seconds }) => clockLength(duration_limit_seconds) },
  {
    name: "Used",
    number: true,
    wide: true,
    show: ({ settlement }) =>
      settlement ? clockLength(settlement.used_seconds) : <span className="muted">–</span>,
  },
  {
    name: "Tokens",
    number: true,
    show: ({ tokens_allocated, settlement }) =>
      settlement && settlement.captured !== tokens_allocated
        ? `${number(settlement.captured)} of ${number(tokens_allocated)}`
        : number(tokens_allocated),
  },
];

export function SessionsList({ sessions, busy }: { sessions: Session[]; busy: boolean }) {
  return <Table label="Sessions" columns={columns} rows={sessions} id={(one) => one.id} busy={busy} />;
}

interface Filter {
  q: string | undefined;
  status: string | undefined;
  from: string | undefined;
  to: string | undefined;
  /** With test data: of which kind. */
  mode: string | undefined;
}

const filterOf = (query: URLSearchParams): Filter => ({
  q: query.get("q") || undefined,
  status: query.get("status") || undefined,
  from: query.get("from") || undefined,
  to: query.get("to") || undefined,
  mode: isTest() ? query.get("mode") || "test" : undefined,
});

/** A provider's sessions, with filters and pages. */
export function Sessions({ provider }: { provider: Provider }) {
  const { query } = useRoute();
  const filter = filterOf(query);
  const cursor = query.get("after") ?? undefined;
  const path = of(provider.id, "/sessions", { ...filter, cursor, limit: PAGE });
  const page = useLoad(path, (signal) => get<SessionPage>(path, signal));
  const live = useLive(provider.id);
  useEffect(() => {
    if (live.changes && !cursor) page.reload();
  }, [live.changes]);
  const filtered = [filter.q, filter.status, filter.from, filter.to].some(Boolean);
  const next = page.data?.next_cursor;
  return (
    <>
      <Title text="Sessions" aside={<Exports id={provider.id} filter={filter} />}>
        Newest first. Each shows what happened to it, second by second.
      </Title>
      <Filters filter={filter} />
      <Panel id="sessions" title="Found">
        <Show of={page} rows={8}>
          {({ sessions }) =>
            sessions.length ? (
              <>
                <SessionsList sessions={sessions} busy={page.busy} />
                <Pager
                  newer={!!cursor}
                  older={!!next}
                  busy={page.busy}
                  onNewer={() => history.back()}
                  onOlder={() => go(withQuery({ after: next }))}
                  note={count(sessions.length, "session") + (cursor || next ? " on this page" : "")}
                />
              </>
            ) : filtered ? (
              <Empty title="Nothing found">
                The search looks for a whole session id, or the beginning of a user id.{" "}
                <button type="button" className="link" onClick={() => go(location.pathname)}>
                  Show all sessions
                </button>
              </Empty>
            ) : (
              <Empty title="No sessions yet">As soon as somebody buys one, it is here.</Empty>
            )
          }
        </Show>
      </Panel>
    </>
  );
}

function Filters({ filter }: { filter: Filter }) {
  const [q, setQ] = useState(filter.q ?? "");
  const [problem, setProblem] = useState("");
  useEffect(() => setQ(filter.q ?? ""), [filter.q]);
  const change = (to: Partial<Filter>) => go(withQuery({ ...to, after: undefined }));
  const value = (event: Event) => (event.target as HTMLInputElement).value || undefined;
  return (
    <form
      className="filters"
      aria-label="Search"
      onSubmit={(event: Event) => {
        event.preventDefault();
        const wrong = /[^A-Za-z0-9._:@|+-]/.test(q.trim());
        setProblem(wrong ? "Ids have letters, digits and . _ : @ | + - only." : "");
        if (!wrong) change({ q: q.trim() || undefined });
      }}
    >
      <label className="grow">
        <span>Session or user</span>
        <input
          type="search"
          value={q}
          placeholder="Session id, or start of a user id"
          onInput={(event: Event) => setQ((event.target as HTMLInputElement).value)}
        />
      </label>
      <label>
        <span>Status</span>
        <select onChange={(event: Event) => change({ status: value(event) })}>
          <option value="">All</option>
          {Object.entries(statusNames).map(([id, name]) => (
            <option key={id} value={id} selected={filter.status === id}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {filter.mode && (
        <label>
          <span>Kind</span>
          <select onChange={(event: Event) => change({ mode: value(event) })}>
            {Object.entries(modeNames).map(([id, name]) => (
              <option key={id} value={id} selected={filter.mode === id}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span>From</span>
        <input
          type="date"
          value={filter.from ?? ""}
          max={filter.to ?? dayOf(Date.now())}
          onChange={(event: Event) => change({ from: value(event) })}
        />
      </label>
      <label>
        <span>To</span>
        <input
          type="date"
          value={filter.to ?? ""}
          min={filter.from}
          onChange={(event: Event) => change({ to: value(event) })}
        />
      </label>
      <button type="submit">Search</button>
      <span className="hint" role="status">
        {problem}
      </span>
    </form>
  );
}

/** Exports the found sessions as a file. */
function Exports({ id, filter }: { id: string; filter: Filter }) {
  const { busy, error, run } = useAction();
  const [status, setStatus] = useState("");
  const json = async () => {
    const found: Session[] = [];
    for (let cursor: string | undefined; ; ) {
      const page: SessionPage = await get(of(id, "/sessions", { ...filter, cursor, limit: EXPORT_PAGE }));
      found.push(...page.sessions);
      cursor = page.next_cursor;
      setStatus(`${number(found.length)} read…`);
      if (!cursor || found.length >= MOST_EXPORTED) break;
    }
    save("sessions.json", new Blob([JSON.stringify(found, null, 2)], { type: "application/json" }));
    setStatus(
      found.length >= MOST_EXPORTED
        ? `The newest ${number(found.length)}; choose fewer days for the rest.`
        : "",
    );
  };
  const csv = async () => {
    const answer = await fetch(of(id, "/sessions.csv", { ...filter }));
    if (!answer.ok) throw new ApiError(`The export failed: ${answer.status}.`, answer.status);
    save("sessions.csv", await answer.blob()); // text would lose its byte order mark
  };
  return (
    <>
      <button type="button" className="small" disabled={busy} onClick={() => run(csv)}>
        Export CSV
      </button>
      <button type="button" className="small" disabled={busy} onClick={() => run(json)}>
        Export JSON
      </button>
      <span className="muted" role="status">
        {busy ? status || "Reading…" : status}
      </span>
      {error && <Problem text={error} />}
    </>
  );
}

function save(name: string, file: Blob) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
