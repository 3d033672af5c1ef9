import type { Api } from "../api";
import type { Clock } from "../clock";
import { formatClock, formatUnit } from "../format";
import type { Session } from "../session";
import type { Store } from "../store";
import type { Strings } from "../strings";
import tokensCss from "../tokens.css";
import { reachedThreshold, warningThresholds } from "../warnings";
import { createChip } from "./chip";
import chipCss from "./chip.css";
import { createHost } from "./host";

/** What the dialogs get from us: they are a file of their own, loaded when first wanted. */
export interface Kit extends TimerEffects {
  root: HTMLElement;
  adopt(css: string): void;
  moveChip(): void;
}

export type View = "warning" | "panel" | "paused" | "ended";

export interface Dialogs {
  open(view: View): void;
  close(): void;
  /** The session changed or a second passed. */
  update(): void;
  /** The host was taken out of the document and put back: modality was lost. */
  restore(): void;
}

export interface TimerEffects {
  doc: Document;
  session: Session;
  api: Api;
  clock: Clock;
  random(): number;
  store: Store;
  strings: Strings;
  loadDialogs(): Promise<{ createDialogs(kit: Kit): Dialogs }>;
  /** The document was written anew, without us. */
  onReplaced(): void;
  /** Leaves for another address. */
  go(address: string): void;
}

/** Announced to screen readers, in minutes before the end: milestones, not every second. */
const MILESTONES = [5, 1];
/** Dialogs are fetched this long before they are needed, while the network is sure to be there. */
const AHEAD_S = 30;
const RELOAD_MS = 3_000;

/** Shows the session over the page: chip, warnings, paused and ended screens. */
export function createTimer(effects: TimerEffects): void {
  const { doc, session, store, strings, clock } = effects;
  let dialogs: Dialogs | undefined;
  let loading: Promise<Dialogs | undefined> | undefined;
  const host = createHost(
    doc,
    strings,
    () => dialogs?.restore(),
    () => {
      forget();
      effects.onReplaced();
    },
  );
  const { root } = host;
  host.adopt(tokensCss + chipCss);
  const status = root.appendChild(doc.createElement("p"));
  status.role = "status";
  const chip = createChip({
    root,
    strings,
    store,
    clock,
    onOpen: () => open(phase() === "paused" ? "paused" : "panel"),
  });

  const phase = () => session.state().phase;

  function load(): Promise<Dialogs | undefined> {
    loading ??= effects.loadDialogs().then(
      ({ createDialogs }) => {
        dialogs = createDialogs({ ...effects, root, adopt: host.adopt, moveChip: chip.move });
        return dialogs;
      },
      () => {
        loading = undefined;
        return undefined;
      },
    );
    return loading;
  }

  async function open(view: View): Promise<void> {
    const loaded = await load();
    // While it loaded, the reason may have gone.
    if (phase() !== (view === "ended" || view === "paused" ? view : "active")) return;
    if (loaded) loaded.open(view);
    else clock.setTimeout(() => open(view), RELOAD_MS);
  }

  let shown = phase();
  let deadline = 0;
  let before = 0;

  function update() {
    const state = session.state();
    const left = session.remaining();
    chip.show(state, left);
    if (state.phase === "active") {
      const { expires_at, duration_limit_seconds, warning_seconds } = state.view;
      const seconds = Math.ceil(left / 1000);
      const total = Math.max(duration_limit_seconds, seconds);
      const thresholds = warningThresholds(warning_seconds, total);
      const reached = reachedThreshold(thresholds, seconds);
      const added = expires_at - deadline;
      const { deadline: of, warned = 0 } = store.read();
      if (deadline && added > 0) {
        // The deadline moved under the user's eyes: what it leaves is no news to them.
        store.write({ deadline: expires_at, warned: reached ?? total });
        if (shown === "active") {
          chip.flash(`+${formatClock(added * 1000)}`);
          say(strings.added(words(added)));
          dialogs?.close();
        }
      } else if (reached && seconds && (of !== expires_at || reached < warned)) {
        store.write({ deadline: expires_at, warned: reached });
        void open("warning");
      }
      deadline = expires_at;
      if (seconds - (thresholds.find((s) => s < seconds) ?? 0) < AHEAD_S) void load();
      for (const minutes of MILESTONES)
        if (before > minutes * 60 && seconds <= minutes * 60) say(strings.left(words(seconds)));
      before = seconds;
    }
    if (state.phase !== shown) {
      shown = state.phase;
      if (shown === "paused" || shown === "ended") void open(shown);
      else dialogs?.close();
    }
    dialogs?.update();
  }

  function words(seconds: number): string {
    const inMinutes = seconds >= 60;
    return formatUnit(
      Math.round(inMinutes ? seconds / 60 : seconds),
      inMinutes ? "minute" : "second",
      strings.language,
      "long",
    );
  }

  function say(text: string) {
    status.textContent = text;
  }

  const forget = session.subscribe(update);
  shown = "loading";
  update();
}
