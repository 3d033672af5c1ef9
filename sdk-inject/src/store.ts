/** The key of stored data and the channel name between tabs. */
export const NAME = "sessiongate";

/** The timer's state that is stored between the pages of an app. */
export interface Remembered {
  /** Where the user moved the chip to: a value of CSS `inset`. */
  place?: string;
  /** Whether the user hid the time. */
  small?: boolean;
  /** The session and its version that a hidden tab paused, to be resumed when a tab is visible. */
  hidden?: string;
  /** What the tabs of each session tell each other, by the session's id; the latest few. */
  sessions?: Record<string, SessionNotes>;
}

export interface SessionNotes {
  /** The deadline that the last warning was for (Unix seconds), and its threshold. */
  deadline?: number;
  warned?: number;
  /** When a tab of this browser last sent a heartbeat, by the browser's clock in milliseconds. */
  beat?: number;
}

export interface Store {
  read(): Remembered;
  write(change: Remembered): void;
  /** The notes of one session: two tabs of an origin may have two sessions. */
  notes(id: string): SessionNotes;
  setNotes(id: string, change: SessionNotes): void;
}

/** When so many sessions are noted, all but one are forgotten: at worst, a warning comes twice. */
const MOST_SESSIONS = 8;

/** Uses the page's storage, or memory if that is blocked, full or cleared by the app. */
export function createStore(storage: () => Storage): Store {
  let memory: Remembered = {};
  const read = () => {
    try {
      memory = { ...memory, ...JSON.parse(storage().getItem(NAME) ?? "{}") };
    } catch {}
    return memory;
  };
  const write = (change: Remembered) => {
    memory = { ...read(), ...change };
    try {
      storage().setItem(NAME, JSON.stringify(memory));
    } catch {}
  };
  const notes = (id: string) => read().sessions?.[id] ?? {};
  return {
    read,
    write,
    notes,
    setNotes(id, change) {
      const known = read().sessions ?? {};
      const kept = Object.keys(known).length < MOST_SESSIONS && known;
      write({ sessions: { ...kept, [id]: { ...known[id], ...change } } });
    },
  };
}
