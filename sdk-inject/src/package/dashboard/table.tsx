import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import type { SDKError } from "../errors";
import type { SessionRow, StatsClient } from "../stats";
import { formatters, useStyleSheet } from "./style";
import { type DashboardWords, en } from "./words";

/**
 * The props of {@link SessionsTable}.
 *
 * @public
 */
export interface SessionsTableProps {
  /** Create it once, outside the component. */
  client: StatsClient;
  /** Rows per page. Default: 20. */
  limit?: number | undefined;
  /** The language of numbers and dates, as a BCP 47 tag. Default: the browser's. */
  language?: string | undefined;
  /** Replaces texts, for example to translate them. */
  words?: Partial<DashboardWords> | undefined;
}

/** Changes arrive in bursts; one request covers a burst. */
const GATHER_MS = 500;

/**
 * The session history, newest first. Rows are updated live.
 *
 * @public
 */
export function SessionsTable({ client, limit = 20, language, words }: SessionsTableProps): ReactElement {
  const root = useStyleSheet<HTMLDivElement>();
  const say = { ...en, ...words };
  const { number, moment, length } = formatters(language);
  const [rows, setRows] = useState<SessionRow[]>();
  const [cursor, setCursor] = useState<string>();
  const [error, setError] = useState<SDKError>();
  const [busy, setBusy] = useState(false);
  const current = useRef(client);
  current.current = client;

  const load = useCallback(
    async (after?: string) => {
      setBusy(true);
      try {
        const page = await client.getSessions({ limit, ...(after && { cursor: after }) });
        if (current.current !== client) return;
        setError(undefined);
        setRows((known = []) => {
          const fresh = new Set(page.sessions.map(({ id }) => id));
          const rest = known.filter(({ id }) => !fresh.has(id));
          return after ? [...rest, ...page.sessions] : [...page.sessions, ...rest];
        });
        // Rows beyond the first page stay.
        setCursor((known) => (after || !known ? page.next_cursor : known));
      } catch (failure) {
        setError(failure as SDKError);
      }
      setBusy(false);
    },
    [client, limit],
  );

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void load(), GATHER_MS);
    };
    setRows(undefined);
    setCursor(undefined);
    void load();
    const stop = client.subscribe((update) => {
      if (update.type === "reset") soon();
      if (update.type !== "session") return;
      const { session } = update;
      setRows((known) =>
        known?.map((row) =>
          row.id === session.id && session.version > row.version ? { ...row, ...session } : row,
        ),
      );
      soon();
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [client, load]);

  return (
    <div ref={root} className="sgd-panel" data-testid="session-history">
      <h3>{say.history}</h3>
      {error && (
        <p className="sgd-error" role="alert">
          {error.message}
          <button type="button" onClick={() => void load()}>
            {say.retry}
          </button>
        </p>
      )}
      {!rows && !error && <p className="sgd-note">{say.loading}</p>}
      {rows && !rows.length && <p className="sgd-note">{say.noSessions}</p>}
      {!!rows?.length && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be focusable
        <section className="sgd-scroll" aria-label={say.history} tabIndex={0}>
          <table aria-busy={busy}>
            <thead>
              <tr>
                <th scope="col">{say.begun}</th>
                <th scope="col">{say.user}</th>
                <th scope="col">{say.status}</th>
                <th scope="col" className="sgd-number">
                  {say.length}
                </th>
                <th scope="col" className="sgd-number">
                  {say.price}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id} data-testid={`session-${row.id}`}>
                  <td>{moment(row.created_at)}</td>
                  <td>{row.user_id}</td>
                  <td>
                    <span className="sgd-status" data-status={row.status}>
                      {say.statuses[row.status] ?? row.status}
                    </span>
                  </td>
                  <td className="sgd-number">{length(row.duration_limit_seconds)}</td>
                  <td className="sgd-number">{number(row.tokens_allocated)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      {cursor && (
        <button type="button" disabled={busy} onClick={() => void load(cursor)}>
          {say.more}
        </button>
      )}
    </div>
  );
}
