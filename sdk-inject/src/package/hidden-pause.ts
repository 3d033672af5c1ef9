/** pauseWhenHidden: pauses while no tab of the session is visible. Loaded only where it is configured. */
import type { Clock } from "../clock";
import type { GateError } from "../errors";
import type { Store } from "../store";
import type { Channel } from "../tabs";

export interface HiddenPauseEffects {
  /** The id of the session. */
  id: string;
  phase(): string;
  /** The version of the session as this page knows it. */
  version(): number;
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Calls the listener on every change of the session. Returns a function that removes it. */
  subscribe(listener: () => void): () => void;
  isVisible(): boolean;
  /** Listens to the page. Returns a function that stops it. */
  listen(on: { visibility(): void; leave(): void; comeBack(): void }): () => void;
  clock: Clock;
  /** Where tabs record the pause that is to end when one of them is visible. */
  store: Store;
  channel(name: string): Channel | undefined;
  onError(error: unknown): void;
}

/** What tabs of a session tell one another. Any script of the page can, so it is only a hint. */
interface News {
  id: string;
  news: "visible" | "hidden" | "paused";
}

const CHANNEL = "sessiongate-visible";
/** The page must be hidden this long: a link and a reload hide it for a moment, and the user may
 *  have gone to another tab of the session. */
const SETTLE_MS = 1_000;
/** Enough for a page that was shown and hidden while a request was under way. */
const MOST_CHANGES = 4;

/** Starts it. Returns a function that stops it. */
export function pauseWhenHidden(effects: HiddenPauseEffects): () => void {
  const { id, phase, version, isVisible, clock, store, onError } = effects;
  let channel: Channel | undefined;
  let timer: unknown;
  let busy = false;
  let away = false;
  /** Whether another tab of the session is visible. */
  let seenElsewhere = false;

  const mark = () => `${id} ${version()}`;
  const tell = (news: News["news"]) => channel?.postMessage({ id, news } satisfies News);

  function hear({ data }: MessageEvent) {
    const { id: about, news } = (data ?? {}) as Partial<News>;
    if (about !== id) return;
    if (news === "visible") seenElsewhere = true;
    else if (isVisible()) {
      if (news === "hidden") tell("visible");
      else void settle();
    }
  }

  function open() {
    channel ??= effects.channel(CHANNEL);
    if (channel) channel.onmessage = hear;
  }

  /** An open channel would keep the page out of the back/forward cache. */
  function close() {
    clock.clearTimeout(timer);
    channel?.close();
    channel = undefined;
  }

  /** Brings the session in line with what the user sees, one request at a time. */
  async function settle(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      for (let changes = 0; changes < MOST_CHANGES && !away; changes++) {
        const seen = isVisible() || seenElsewhere;
        if (!seen && phase() === "active") {
          await effects.pause();
          store.write({ hidden: mark() });
          tell("paused");
        } else if (seen && phase() === "paused" && store.read().hidden === mark()) await effects.resume();
        else break;
      }
    } catch (error) {
      // Another tab was first.
      if ((error as GateError).code !== "illegal_transition") onError(error);
    }
    busy = false;
  }

  function visibility() {
    clock.clearTimeout(timer);
    if (away) return;
    if (isVisible()) {
      tell("visible");
      void settle();
      return;
    }
    seenElsewhere = false;
    tell("hidden");
    timer = clock.setTimeout(() => void settle(), SETTLE_MS);
  }

  open();
  visibility();
  const forget = effects.subscribe(() => {
    if (isVisible()) void settle();
  });
  const deaf = effects.listen({
    visibility,
    leave() {
      away = true;
      close();
    },
    comeBack() {
      away = false;
      open();
      visibility();
    },
  });
  return () => {
    away = true;
    forget();
    deaf();
    close();
  };
}
