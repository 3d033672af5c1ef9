/**
 * What the dashboard says. Numbers and dates are said by Intl.
 *
 * @public
 */
export interface DashboardWords {
  /** Above everything. */
  title: string;
  /** Changes are shown as they happen. */
  live: string;
  /** They are asked for. */
  notLive: string;
  /** Nothing is known yet. */
  loading: string;
  /** Asks again after an error. */
  retry: string;
  /** Of a figure. */
  activeNow: string;
  /** Below the active ones. */
  pausedNow(count: string): string;
  /** Of a figure. */
  sessionsToday: string;
  /** Of a figure. */
  usersToday: string;
  /** Of a figure. */
  earnedToday: string;
  /** Of a figure. */
  sessionsTotal: string;
  /** Of a figure. */
  earnedTotal: string;
  /** Below figures of them. */
  tokens: string;
  /** Above a chart. */
  sessionsByDay: string;
  /** Above a chart. */
  revenueByDay: string;
  /** What a chart shows, in a sentence. */
  summary(total: string, most: string, day: string): string;
  /** A chart of zeros. */
  nothing: string;
  /** Opens a chart's table. */
  asTable: string;
  /** Of a column. */
  day: string;
  /** Of a column. */
  count: string;
  /** Above the table of sessions. */
  history: string;
  /** Of a column. */
  begun: string;
  /** Of a column. */
  user: string;
  /** Of a column. */
  status: string;
  /** Of a column. */
  length: string;
  /** Of a column. */
  price: string;
  /** Shows the next page. */
  more: string;
  /** An empty table. */
  noSessions: string;
  /** By the API's names. */
  statuses: Record<string, string>;
}

export const en: DashboardWords = {
  title: "Your sessions",
  live: "Live",
  notLive: "Updated every half minute",
  loading: "Loading…",
  retry: "Try again",
  activeNow: "Active now",
  pausedNow: (count) => `${count} paused`,
  sessionsToday: "Sessions today",
  usersToday: "Users today",
  earnedToday: "Earned today",
  sessionsTotal: "Sessions in all",
  earnedTotal: "Earned in all",
  tokens: "tokens",
  sessionsByDay: "Sessions by day",
  revenueByDay: "Tokens earned by day",
  summary: (total, most, day) => `${total} in all; most on ${day}: ${most}.`,
  nothing: "Nothing yet in these days.",
  asTable: "Show as a table",
  day: "Day",
  count: "Number",
  history: "Session history",
  begun: "Sold",
  user: "User",
  status: "Status",
  length: "Length",
  price: "Tokens",
  more: "Show more",
  noSessions: "No sessions yet.",
  statuses: {
    pending: "Waiting",
    active: "Active",
    paused: "Paused",
    completed: "Completed",
    expired: "Time ran out",
    revoked: "Revoked",
    canceled: "Canceled",
  },
};
