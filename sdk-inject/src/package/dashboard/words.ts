/**
 * The texts of the dashboard. Numbers and dates are formatted by Intl.
 *
 * @public
 */
export interface DashboardWords {
  /** The heading of the dashboard. */
  title: string;
  /** Shown while the live connection is open. */
  live: string;
  /** Shown while the data are polled. */
  notLive: string;
  /** Shown until the data arrive. */
  loading: string;
  /** The button that retries after an error. */
  retry: string;
  /** The label of a card. */
  activeNow: string;
  /** The note below the active sessions. */
  pausedNow(count: string): string;
  /** The label of a card. */
  sessionsToday: string;
  /** The label of a card. */
  usersToday: string;
  /** The label of a card. */
  earnedToday: string;
  /** The label of a card. */
  sessionsTotal: string;
  /** The label of a card. */
  earnedTotal: string;
  /** The unit below numbers of tokens. */
  tokens: string;
  /** The heading of a chart. */
  sessionsByDay: string;
  /** The heading of a chart. */
  revenueByDay: string;
  /** The summary of a chart, in a sentence. */
  summary(total: string, most: string, day: string): string;
  /** Shown when all values of a chart are zero. */
  nothing: string;
  /** The button that shows a chart as a table. */
  asTable: string;
  /** The heading of a column. */
  day: string;
  /** The heading of a column. */
  count: string;
  /** The heading of the session history. */
  history: string;
  /** The heading of a column. */
  begun: string;
  /** The heading of a column. */
  user: string;
  /** The heading of a column. */
  status: string;
  /** The heading of a column. */
  length: string;
  /** The heading of a column. */
  price: string;
  /** The button that shows more rows. */
  more: string;
  /** Shown when there are no sessions. */
  noSessions: string;
  /** The name of each status of the API. */
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
  nothing: "No data for these days yet.",
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
