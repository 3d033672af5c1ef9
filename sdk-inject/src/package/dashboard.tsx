"use client";
/**
 * React components that show a provider's statistics on its own admin pages. The data come from a
 * {@link StatsClient}. In a page, the client calls your own server, which adds the key.
 *
 * @packageDocumentation
 */
import type { ReactElement } from "react";
import { StatCards } from "./dashboard/cards";
import { DayChart } from "./dashboard/chart";
import { useProviderStats } from "./dashboard/data";
import { useStyleSheet } from "./dashboard/style";
import { SessionsTable } from "./dashboard/table";
import { type DashboardWords, en } from "./dashboard/words";
import type { Period, StatsClient } from "./stats";

export { StatCards, type StatCardsProps } from "./dashboard/cards";
export { DayChart, type DayChartProps } from "./dashboard/chart";
export { type ProviderStats, useProviderStats } from "./dashboard/data";
export { SessionsTable, type SessionsTableProps } from "./dashboard/table";
export type { DashboardWords } from "./dashboard/words";
export * from "./stats";

/**
 * The props of {@link ProviderDashboard}.
 *
 * @public
 */
export interface ProviderDashboardProps {
  /** Create it once, outside the component. */
  client: StatsClient;
  /** The range of the charts. Default: the last 30 days. */
  period?: Period | undefined;
  /** `page` follows the page, `auto` the user's system. Default: `page`. */
  theme?: "page" | "light" | "dark" | "auto" | undefined;
  /** The language of numbers and dates, as a BCP 47 tag. Default: the browser's. */
  language?: string | undefined;
  /** Replaces texts, for example to translate them. */
  words?: Partial<DashboardWords> | undefined;
}

/**
 * The whole dashboard: statistics, charts and the session history, updated live.
 *
 * @public
 */
export function ProviderDashboard(props: ProviderDashboardProps): ReactElement {
  const { client, period, theme = "page", language, words } = props;
  const root = useStyleSheet<HTMLElement>();
  const say = { ...en, ...words };
  const { loading, error, live, stats, sessions, revenue, reload } = useProviderStats(client, period);
  const shared = { language, words };
  return (
    <section ref={root} className="sgd" data-theme={theme} aria-label={say.title} aria-busy={loading}>
      <header className="sgd-head">
        <h2>{say.title}</h2>
        {stats && (
          <span className={live ? "sgd-note sgd-live" : "sgd-note"} data-testid="connection">
            {live ? say.live : say.notLive}
          </span>
        )}
      </header>
      {loading && <p className="sgd-note">{say.loading}</p>}
      {error && (
        <p className="sgd-error" role="alert">
          {error.message}
          <button type="button" onClick={reload}>
            {say.retry}
          </button>
        </p>
      )}
      {stats && <StatCards stats={stats} {...shared} />}
      {sessions && revenue && (
        <div className="sgd-charts">
          <DayChart
            title={say.sessionsByDay}
            days={sessions.days.map((one) => ({ date: one.date, value: one.sessions }))}
            {...shared}
          />
          <DayChart
            title={say.revenueByDay}
            kind="tokens"
            days={revenue.days.map((one) => ({ date: one.date, value: one.captured }))}
            {...shared}
          />
        </div>
      )}
      <SessionsTable client={client} {...shared} />
    </section>
  );
}
