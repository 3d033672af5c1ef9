import { formatClock } from "../format";
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
  const mover = (act: (move: Awaited<ReturnType<Parts["move"]>>) => void) =>
    void parts.move().then(act, () => {});
  chip.element.onpointerdown = (event) => mover(({ drag }) => drag(chip.element, store, event));
  chip.element.onkeydown = ({ key }) => mover(({ moveBy }) => moveBy(chip.element, store, key));

  function load(): Promise<void> {
    loading ??= Promise.all([parts.dialog(), strings.words?.().catch(() => {})]).then(
      ([{ createDialogs }, words]) => {
        const context = {
          ...effects,
          el,
          root,
          chip,
          words: words?.default,
          addStyles,
          isCovered,
          formatClock,
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
    chip.show(state, left);
    if (state.phase === "active") {
      const { expires_at, warning_seconds } = state.view;
      deadline ||= expires_at;
      const first = Math.max(FIRST_MILESTONE_S, ...(warning_seconds ?? [])) + AHEAD_S;
      if (left < first * 1000 || expires_at > deadline) void load();
    }
    if (state.phase !== shown) {
      shown = state.phase;
      if (shown === "paused" || shown === "ended") void open(shown);
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
    if (covered && !was) host.raise();
  }

  const forget = session.subscribe(update);
  const remove = () => {
    forget();
    host.remove();
  };
  update();
  return remove;
}
