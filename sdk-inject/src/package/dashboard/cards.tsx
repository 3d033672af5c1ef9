import type { ReactElement } from "react";
import type { SessionStats } from "../stats";
import { formatters, useStyleSheet } from "./style";
import { type DashboardWords, en } from "./words";

/**
 * The props of {@link StatCards}.
 *
 * @public
 */
export interface StatCardsProps {
  /** The result of {@link StatsClient.getSessionStats}. */
  stats: SessionStats;
  /** The language of numbers, as a BCP 47 tag. Default: the browser's. */
  language?: string | undefined;
  /** Replaces texts, for example to translate them. */
  words?: Partial<DashboardWords> | undefined;
}

/**
 * A summary of a provider's statistics.
 *
 * @public
 */
export function StatCards({ stats, language, words }: StatCardsProps): ReactElement {
  const root = useStyleSheet<HTMLDListElement>();
  const say = { ...en, ...words };
  const { number } = formatters(language);
  const { live, today, total } = stats;
  const cards: [id: string, name: string, value: number, note?: string | undefined][] = [
    ["active", say.activeNow, live.active, live.paused ? say.pausedNow(number(live.paused)) : undefined],
    ["sessions-today", say.sessionsToday, today.sessions],
    ["users-today", say.usersToday, today.users],
    ["earned-today", say.earnedToday, today.captured, say.tokens],
    ["sessions-total", say.sessionsTotal, total.sessions],
    ["earned-total", say.earnedTotal, total.captured, say.tokens],
  ];
  return (
    <dl ref={root} className="sgd-cards">
      {cards.map(([id, name, value, note]) => (
        <div key={id} className="sgd-card" data-testid={`stat-${id}`}>
          <dt>{name}</dt>
          <dd>
            {number(value)}
            {note && <small>{note}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
