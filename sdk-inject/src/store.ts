/** What a browser remembers of the timer between the pages of an app. */
export interface Remembered {
  /** The corner the user moved the chip to. */
  corner?: number;
  /** The deadline that the last warning was for (Unix seconds), and its threshold. */
  deadline?: number;
  warned?: number;
}

export interface Store {
  read(): Remembered;
  write(change: Remembered): void;
}

const KEY = "sessiongate";

/** Over the page's storage, which may be blocked, full, or cleared by the app: then memory serves. */
export function createStore(storage: () => Storage): Store {
  let memory: Remembered = {};
  return {
    read() {
      try {
        memory = { ...memory, ...JSON.parse(storage().getItem(KEY) ?? "{}") };
      } catch {}
      return memory;
    },
    write(change) {
      memory = { ...memory, ...change };
      try {
        storage().setItem(KEY, JSON.stringify(memory));
      } catch {}
    },
  };
}
