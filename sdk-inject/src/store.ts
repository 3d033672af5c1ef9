/** The name of all that we keep in a browser or send between its tabs. */
export const NAME = "sessiongate";

/** What a browser remembers of the timer between the pages of an app. */
export interface Remembered {
  /** Where the user moved the chip to: a value of CSS `inset`. */
  place?: string;
  /** Whether the user hid the time. */
  small?: boolean;
  /** The deadline that the last warning was for (Unix seconds), and its threshold. */
  deadline?: number;
  warned?: number;
  /** When some tab of this browser last beat, by the browser's clock in milliseconds. */
  beat?: number;
}

export interface Store {
  read(): Remembered;
  write(change: Remembered): void;
}

/** Over the page's storage, which may be blocked, full, or cleared by the app: then memory serves. */
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
