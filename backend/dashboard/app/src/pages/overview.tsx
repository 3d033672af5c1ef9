import { type ReactNode, useEffect, useState } from "react";
import { DayChart } from "../../../../../sdk-inject/src/package/dashboard/chart";
import { get, of } from "../api";
import { clock, count, number } from "../format";
import { useLive } from "../live";
import { type Loaded, useInterval, useLoad } from "../load";
import { Empty, Panel, Problem, Show, Title } from "../parts/states";
import { compare, dayOf, presets, problemOf, type Range, rangeBefore, rangeOf } from "../range";
import { go, Link, useRoute, useViewer, withQuery } from "../router";
import type {
  Analysis,
  Provider,
  RevenueDay,
  SessionDay,
  SessionPage,
  SessionStats,
  UserDay,
} from "../types";
import { SessionsList } from "./sessions";

const REFRESH_MS = 30_000;
/** The service updates its daily statistics at intervals. This is the delay after a change. */
type Day = SessionDay & { extensions?: number };

/** Live counts, and statistics by day. */
export function Overview({ provider }: { provider: Provider }) {
  const { id } = provider;
  const live = useLive(id);
  const { reading } = useViewer();
  const { query } = useRoute();
  const range = rangeOf(query, Date.now());
  const today = dayOf(Date.now());
  const stats = useLoad(`stats ${id}`, (signal) => get<SessionStats>(of(id, "/stats"), signal));
  const day = useLoad(`day ${id} ${today}`, (signal) =>
    get<Analysis<Day>>(of(id, "/analytics/sessions", { from: today, to: today }), signal),
  );
  const latest = useLoad(`latest ${id}`, (signal) =>
    get<SessionPage>(of(id, "/sessions", { limit: 8 }), signal),
  );
  const again = () => {
    stats.reload();
    day.reload();
    latest.reload();
  };
  useInterval(REFRESH_MS, again);
  useEffect(() => {
    if (live.changes) again();
  }, [live.changes]);

  const counts = live.counts ?? stats.data?.live;
  const total = day.data?.total;
  return (
    <>
      <Title
        text="Overview"
        aside={
          <span className={live.connected ? "pulse on" : "pulse"} data-testid="connection">
            {live.connected ? "Live" : "Updated every half minute"}
          </span>
        }
      >
        {stats.data?.as_of
          ? `Today's figures as of ${clock(stats.data.as_of * 1000)}; days are those of UTC.`
          : "Days are those of UTC."}
      </Title>
      {!(provider.origin_url && (provider.domains.length || provider.app_url)) && (
        <div className="notice">
          {reading ? (
            <p>
              This app is not set up yet: it has no domain or no origin. The dashboard guides its provider
              through the set-up.
            </p>
          ) : (
            <>
              <p>Your app is not set up yet. The set-up takes five steps and less than ten minutes.</p>
              <Link to="/setup" className="button primary">
                Set it up
              </Link>
            </>
          )}
        </div>
      )}
      {stats.error && <Problem text={stats.error.message} retry={again} />}
      <dl className="cards">
        <Card id="active" name="Live now" value={counts?.active} note={waiting(counts)} strong />
        <Card
          id="sessions"
          name="Sessions today"
          value={stats.data?.today.sessions}
          note={stats.data && count(stats.data.today.users, "user")}
        />
        <Card
          id="minutes"
          name="Minutes used today"
          value={total && Math.round(total.used_seconds / 60)}
          note="in sessions that have ended"
        />
        <Card
          id="tokens"
          name="Tokens earned today"
          value={stats.data?.today.captured}
          note={stats.data && `${number(stats.data.total.captured)} in all`}
        />
        <Card id="extensions" name="Extensions today" value={total?.extensions} note="bought in the app" />
        <Card id="cutoffs" name="Cut off today" value={total?.expired} note="their time ran out" />
      </dl>
      <Ranges range={range} />
      <div className="charts">
        <Chart<SessionDay>
          id={id}
          kind="sessions"
          range={range}
          title="Sessions"
          figure={(one) => one.sessions}
        >
          {(now, before) => <Compared one="session" now={now.sessions} before={before?.sessions} />}
        </Chart>
        <Chart<RevenueDay>
          id={id}
          kind="revenue"
          coin
          range={range}
          title="Tokens earned"
          figure={(one) => one.captured}
        >
          {(now, before) => <Compared one="token" now={now.captured} before={before?.captured} />}
        </Chart>
        <Chart<UserDay> id={id} kind="users" range={range} title="Users by day" figure={(one) => one.users}>
          {(now, before) => <Compared one="new user" now={now.new_users} before={before?.new_users} />}
        </Chart>
      </div>
      <Panel id="latest" title="Latest sessions" aside={<Link to="/sessions">All sessions</Link>}>
        <Show of={latest}>
          {({ sessions }) =>
            sessions.length ? (
              <SessionsList sessions={sessions} busy={false} />
            ) : (
              <Empty title="No sessions yet">New sessions appear here without a reload.</Empty>
            )
          }
        </Show>
      </Panel>
    </>
  );
}

function waiting(counts: SessionStats["live"] | undefined): string | undefined {
  if (!counts) return undefined;
  const parts = [
    counts.paused && `${number(counts.paused)} paused`,
    counts.pending && `${number(counts.pending)} waiting`,
  ];
  return parts.filter(Boolean).join(", ") || "none paused or waiting";
}

function Card(props: {
  id: string;
  name: string;
  value: number | undefined;
  note?: string | undefined;
  strong?: boolean;
}) {
  const { id, name, value, note, strong } = props;
  return (
    <div className={strong ? "card strong-card" : "card"} data-testid={`card-${id}`}>
      <dt>{name}</dt>
      <dd>
        <span className="figure">{value === undefined ? "–" : number(value)}</span>
        <small>{note}</small>
      </dd>
    </div>
  );
}

function Ranges({ range }: { range: Range & { preset: string } }) {
  const [own, setOwn] = useState(range.preset === "own");
  const [from, setFrom] = useState(range.from);
  const [to, setTo] = useState(range.to);
  const problem = problemOf({ from, to });
  return (
    <section className="ranges" aria-label="Days to show">
      <h2 className="hidden">By day</h2>
      <div className="segments">
        {presets.map(({ id, name }) => (
          <button
            key={id}
            type="button"
            aria-pressed={range.preset === id && !own}
            onClick={() => {
              setOwn(false);
              go(
                withQuery({ range: id === "30" ? undefined : id, from: undefined, to: undefined }),
                "replace",
              );
            }}
          >
            {name}
          </button>
        ))}
        <button type="button" aria-pressed={own} aria-expanded={own} onClick={() => setOwn(true)}>
          Other
        </button>
      </div>
      {own && (
        <form
          className="inline"
          onSubmit={(event: Event) => {
            event.preventDefault();
            if (!problem) go(withQuery({ from, to, range: undefined }), "replace");
          }}
        >
          <label>
            From{" "}
            <input
              type="date"
              value={from}
              max={to}
              onInput={(e: Event) => setFrom((e.target as HTMLInputElement).value)}
            />
          </label>
          <label>
            to{" "}
            <input
              type="date"
              value={to}
              min={from}
              onInput={(e: Event) => setTo((e.target as HTMLInputElement).value)}
            />
          </label>
          <button type="submit" disabled={!!problem}>
            Show
          </button>
          {problem && <span className="hint">{problem}</span>}
        </form>
      )}
    </section>
  );
}

interface ChartProps<T> {
  id: string;
  kind: string;
  range: Range;
  title: string;
  coin?: boolean;
  figure: (day: T) => number;
  children: (now: T, before: T | undefined) => ReactNode;
}

/** A chart by day, compared with the range before. */
function Chart<T>({ id, kind, range, title, coin, figure, children }: ChartProps<T>) {
  const path = (days: Range) => of(id, `/analytics/${kind}`, { from: days.from, to: days.to });
  const before = rangeBefore(range);
  const now = useLoad(path(range), (signal) => get<Analysis<T>>(path(range), signal));
  // Loaded last: a browser opens six connections to a host, and the first rows must not wait for one.
  const past: Loaded<Analysis<T>> = useLoad(now.data ? path(before) : "", (signal) =>
    get<Analysis<T>>(path(before), signal),
  );
  useInterval(REFRESH_MS, now.reload);
  return (
    <div className="chart" data-testid={`chart-of-${kind}`}>
      <Show of={now} rows={5}>
        {({ days, total }) => (
          <>
            <DayChart
              title={title}
              kind={coin ? "tokens" : "count"}
              days={days.map((one) => ({ date: one.date, value: figure(one) }))}
            />
            <div className="chart-foot">
              {children(total, past.data?.total)}
              <a href={of(id, `/analytics/${kind}.csv`, { from: range.from, to: range.to })} download>
                CSV<span className="hidden"> of {title.toLowerCase()}</span>
              </a>
            </div>
          </>
        )}
      </Show>
    </div>
  );
}

function Compared({ one, now, before }: { one: string; now: number; before: number | undefined }) {
  const found = before === undefined ? undefined : compare(now, before);
  const mark = { up: "▲", down: "▼", same: "=" };
  return (
    <p>
      <span className="strong">{number(now)}</span> {now === 1 ? one : `${one}s`}
      {found && (
        <span className={`change ${found.direction}`}>
          <span aria-hidden="true">{mark[found.direction]}</span> {found.text}
        </span>
      )}
    </p>
  );
}
