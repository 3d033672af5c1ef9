import { formatClock } from "../format";
import type { PageView } from "../state";
import { createChip } from "./chip";
import chipCss from "./chip.css";
import { maker } from "./dom";
import { createHost } from "./host";
import type { Dialogs, Parts, TimerEffects, View } from "./interfaces";

/** The dialogs' file tells of milestones too: the first is five minutes before the end. */
const FIRST_MILESTONE_S = 300;
/** It is loaded this long before it is needed, in case the network fails later. */
const AHEAD_S = 30;
const RELOAD_MS = 3_000;
/** So many ticks long, the chip gives way to the page's controls, which may come late. Afterwards it
 *  would hop about as the page scrolls. */
const LOOKS = 5;

/** Shows the session over the page: the chip, and when needed what the dialogs show. Returns a function that removes it. */
export function createTimer(effects: TimerEffects): () => void {
  const { session, strings, clock, parts, store, css } = effects;
  let dialogs: Dialogs | undefined;
  let loading: Promise<void> | undefined;
  let shown: string | undefined;
  /** Whether nothing is shown before the site's settings are there. Unknown: there are none. */
  let waits: boolean | undefined;
  let deadline = 0;
  const phase = () => session.state().phase;

  const el = maker(effects.doc);
  const host = createHost(
    {
      ...effects,
      onAttach: () => dialogs?.restore(),
      onOpened: () => dialogs?.raise(),
      onReplaced() {
        remove();
        effects.onReplaced();
      },
    },
    el,
  );
  const { root, addStyles, isCovered } = host;
  let covered = false;
  let looks = LOOKS;
  addStyles(chipCss + (css ?? ""));
  const chip = createChip(el, root, strings, store, () => open(phase() === "paused" ? "paused" : "panel"));
  const ours = { ...effects, el, root, chip, addStyles, isCovered, formatClock };
  const mover = (act: (move: Awaited<ReturnType<Parts["move"]>>) => void) =>
    void parts.move().then(act, () => {});
  chip.element.onpointerdown = chip.element.onkeydown = (event: PointerEvent | KeyboardEvent) =>
    mover(({ follow }) => follow(chip.element, store, event));

  function load(): Promise<void> {
    loading ??= Promise.all([parts.dialog(), strings.words?.().catch(() => {})]).then(
      ([{ createDialogs }, words]) => {
        const context = {
          ...ours,
          words: words?.default,
          deadline,
        };
        dialogs = createDialogs(context);
        dialogs.update();
      },
      () => {
        loading = undefined;
      },
    );
    return loading;
  }

  async function open(view: View): Promise<void> {
    await load();
    if (dialogs) dialogs.open(view);
    else clock.setTimeout(() => open(view), RELOAD_MS);
  }

  function update() {
    const state = session.state();
    const left = session.remaining();
    const view = (state as { view?: PageView }).view;
    // The site's settings, and the badge of what is not sold, are in a file of their own.
    if (waits == null && (view?.site || (view?.mode ?? "live") !== "live")) {
      // Not first in one place, and then in another.
      waits = !shown;
      const go = () => {
        waits = false;
        update();
      };
      parts
        .site()
        .then(({ start }) => start(ours))
        .then(go, go);
    }
    if (waits) return;
    chip.show(state, left);
    if (state.phase === "active") {
      const { expires_at, warning_seconds } = state.view;
      deadline ||= expires_at;
      const first = Math.max(FIRST_MILESTONE_S, ...(warning_seconds ?? [])) + AHEAD_S;
      if (left < first * 1000 || expires_at > deadline) void load();
    }
    if (state.phase !== shown) {
      shown = state.phase;
      if (/d$/.test(shown)) void open(shown as "paused" | "ended");
      else dialogs?.close();
    }
    dialogs?.update();
    requestAnimationFrame(look);
  }

  /** Looks at what lies above and below the chip: in a frame, when the page has its layout anyway. */
  function look() {
    // Leaves what the page has to press, until the user chooses a place.
    if (looks-- > 0 && !store.read().place && host.isOverControl(chip.element))
      mover(({ giveWay }) => giveWay(chip.element, host.isOverControl));
    // Also what opens in shadow roots, whose events stay inside. Once: what makes us inert stays above.
    const was = covered;
    covered = isCovered(chip.element);
    if (was < covered) host.raise();
  }

  const forget = session.subscribe(update);
  const remove = () => {
    forget();
    host.remove();
  };
  update();
  return remove;
}
