"use client";
/**
 * A provider's figures as React components: for its own admin pages. The data come by a
 * {@link StatsClient}, in a page by way of your own server, which has the key.
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
 * What the dashboard shows, and how.
 *
 * @public
 */
export interface ProviderDashboardProps {
  /** Made once, outside of the component. */
  client: StatsClient;
  /** Of the charts. Default: the last 30 days. */
  period?: Period;
  /** `page`: as the page is; `auto`: as the user's system is. Default: `page`. */
  theme?: "page" | "light" | "dark" | "auto";
  /** Of numbers and dates, as a BCP 47 tag. Default: the browser's. */
  language?: string;
  /** Other words, or another language's. */
  words?: Partial<DashboardWords>;
}

/**
 * Everything together: figures, charts, and the history, kept new.
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
