/** The key of stored data and the channel name between tabs. */
export const NAME = "sessiongate";

/** The timer's state that is stored between the pages of an app. */
export interface Remembered {
  /** Where the user moved the chip to: a value of CSS `inset`. */
  place?: string;
  /** Whether the user hid the time. */
  small?: boolean;
  /** The deadline that the last warning was for (Unix seconds), and its threshold. */
  deadline?: number;
  warned?: number;
  /** When a tab of this browser last sent a heartbeat, by the browser's clock in milliseconds. */
  beat?: number;
  /** The session and its version that a hidden tab paused, to be resumed when a tab is visible. */
  hidden?: string;
}

export interface Store {
  read(): Remembered;
  write(change: Remembered): void;
}

/** Uses the page's storage, or memory if that is blocked, full or cleared by the app. */
export function createStore(storage: () => Storage): Store {
  let memory: Remembered = {};
  const read = () => {
    try {
      memory = { ...memory, ...JSON.parse(storage().getItem(NAME) ?? "{}") };
    } catch {}
    return memory;
  };
  return {
    read,
    write(change) {
      memory = { ...read(), ...change };
      try {
        storage().setItem(NAME, JSON.stringify(memory));
      } catch {}
    },
  };
}
