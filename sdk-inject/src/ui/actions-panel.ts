/** actions.js: what is needed when the user acts, and at the end: the calls to the gate,
 *  the panel, the question before ending, the paused and ended screens. */
import { createActions, isTransient } from "../actions";
import type { GateError } from "../errors";
import { returnAddress } from "../format";
import type { Code } from "../protocol";
import { formatSpan } from "../units";
import actionsCss from "./actions-panel.css";
import { en } from "./actions-words";
import type { ActionsPanel, EndCause, Frame } from "./interfaces";
import { leaveFor } from "./leave";

/** How long the ended screen stays before it leads back. */
const RETURN_SECONDS = 5;
/** A page that is still there after so long has not left. */
const STILL_HERE_MS = 2_500;
/** The app is asked to save its work while its requests are still admitted. */
const SAVE_AHEAD_S = 10;
/** How long an app may keep the user waiting with it. */
const SAVING_MS = 5_000;
/** How long the chip says that time was added. */
const FLASH_MS = 2_500;
const HOURGLASS = "M4 2h8M4 14h8M5 2v2.500L8 8l3-3.500V2M5 14v-2.500L8 8l3 3.500V14";

export function createActionsPanel(frame: Frame): ActionsPanel {
  const { context, button, caller, dialog, error, heading, row, text } = frame;
  const { el, session, clock, chip, store } = context;
  const { element } = chip;
  const words = context.words ?? { ...frame.words, ...en };
  const actions = createActions({ ...context, newKey });
  const beforeEnd = context.beforeEnd ?? askPage;
  context.addStyles(actionsCss);
  let returning: unknown;
  let returnSeconds = RETURN_SECONDS;
  let savedFor = 0;
  let busy = false;
  /** The way back was taken, and the page is still there: it asked whether to leave, and the user
   *  chose to stay. */
  let remained = false;

  const support = () => chip.own?.supportLink() ?? [];
  const settlement = () => {
    const state = session.state();
    return ("view" in state && state.view.settlement_policy) || "agreed";
  };
  const span = (seconds: number) => formatSpan(seconds, words.unit);
  const left = () => span(session.remaining() / 1000);
  const hostOf = (address: string) => new URL(address).host;

  /** Who asked to end is not kept waiting. */
  async function end() {
    error.append(words.saving);
    await beforeEnd("user");
    error.textContent = "";
    returnSeconds = 0;
    try {
      await actions.end();
    } catch (failure) {
      returnSeconds = RETURN_SECONDS;
      throw failure;
    }
  }

  // Beside the panel: the backdrop is the dialog's.
  dialog.onclick = (event) => {
    const { clientX, clientY } = event;
    const { x, y, right, bottom } = dialog.getBoundingClientRect();
    const beside = clientX < x || clientX > right || clientY < y || clientY > bottom;
    if (event.composedPath()[0] === dialog && beside && frame.shown() === "panel") frame.close();
  };

  /** What a refusal means, in words. */
  function explain(failure: GateError): (Node | string)[] {
    const { code, problem } = failure;
    if (code === ("consent_required" satisfies Code)) {
      const address = returnAddress(problem.consent_url);
      const link = { href: address, target: "_blank", rel: "noopener" };
      return [words.consent, " ", ...(address ? [el("a", link, words.consentLink(hostOf(address)))] : [])];
    }
    if (code === ("insufficient_tokens" satisfies Code)) return [words.insufficient];
    return [isTransient(failure) ? words.lostAnswer : words.failed];
  }

  const actionsPanel: ActionsPanel = {
    extend: actions.extend,
    async press(pressed, call) {
      if (busy || pressed.hasAttribute("aria-disabled")) return;
      busy = true;
      error.textContent = "";
      // Not `disabled`: that would drop the keyboard's place.
      pressed.setAttribute("aria-disabled", "true");
      try {
        await call(actionsPanel);
      } catch (failure) {
        error.append(...explain(failure as GateError));
      }
      pressed.removeAttribute("aria-disabled");
      busy = false;
    },

    added(seconds) {
      // Over the chip: what grows it would move it, twice.
      const { dataset } = chip.element;
      dataset.added = `+${context.formatClock(seconds * 1000)}`;
      clock.setTimeout(() => {
        delete dataset.added;
      }, FLASH_MS);
      frame.status.textContent = words.added(span(seconds));
    },

    nearDeadline(seconds) {
      const state = session.state();
      if (state.phase !== "active" || seconds > SAVE_AHEAD_S || savedFor === state.view.expires_at) return;
      savedFor = state.view.expires_at;
      void beforeEnd("deadline");
    },

    panel() {
      const state = session.state();
      const pause = "view" in state ? state.view.pause : undefined;
      const until = text("");
      const toggleLabel = () => (element.classList.contains("small") ? words.expand : words.collapse);
      const toggle = button(
        "link",
        "collapse-timer",
        () => {
          store.write({ small: element.classList.toggle("small") });
          toggle.textContent = toggleLabel();
        },
        toggleLabel(),
      );
      const move = button(
        "link",
        "move-timer",
        async () => {
          (await context.parts.move()).moveOn(element, store);
          besideChip();
        },
        words.move,
      );
      besideChip();
      const nodes = frame.clockView(words.panelTitle, [until], ({ expires_at }) => {
        until.textContent = words.endsAt(new Date(expires_at * 1000));
      });
      if (pause && (pause.used ?? 0) < pause.max_count)
        nodes.push(row(caller("act", "pause-session", actions.pause, words.pause)));
      nodes.push(el("div", { class: "links" }, move, toggle, ...support()));
      return nodes;
    },

    confirm: () => [
      heading(words.confirmTitle),
      text(`${words.confirmText(left())} ${words.unused[settlement()]}`),
      error,
      row(
        button("act", "keep-session", frame.close, words.keepGoing),
        caller("act stop", "confirm-end-session", end, words.end),
      ),
    ],

    paused() {
      const state = session.state();
      const buttons = [frame.endButton()];
      // While the app cannot be used, the clock stands still whatever the user does.
      if (state.phase === "paused" && !state.view.standstill)
        buttons.unshift(caller("act main", "resume-session", actions.resume, words.resume));
      return [heading(words.pausedTitle), text(words.pausedText(left())), error, row(...buttons)];
    },

    ended() {
      const state = session.state();
      if (state.phase !== "ended") return [];
      const address = returnAddress(state.returnUrl, state.sessionId);
      const line = el("p", {}, words.closeTab);
      const content: Node[] = [
        el("div", { class: "badge" }, hourglass()),
        heading(words.endedTitle),
        frame.own("ended", words.ended[state.reason]),
        line,
      ];
      const buttons = el("div", { class: "row" });
      // The page may hold text that the user wants to keep.
      const offerToStay = () => {
        remained = true;
        buttons.append(button("act", "stay-on-page", frame.dismiss, words.stay));
      };
      content.push(buttons, ...support());
      clock.clearTimeout(returning);
      if (!address) {
        offerToStay();
        return content;
      }
      const host = hostOf(address);
      const countBack = (seconds: number) => {
        line.textContent = words.redirecting(host, span(seconds));
        if (seconds) returning = clock.setTimeout(() => countBack(seconds - 1), 1000);
        else {
          (context.go ?? leaveFor)(address);
          returning = clock.setTimeout(() => {
            line.remove();
            offerToStay();
          }, STILL_HERE_MS);
        }
      };
      const link = { class: "act main", "data-testid": "return-link", href: address, target: "_top" };
      buttons.append(el("a", link, words.goNow(host)));
      if (remained) {
        line.remove();
        offerToStay();
      } else countBack(returnSeconds);
      return content;
    },
  };
  return actionsPanel;

  /** The panel, and what follows from it, open at the chip's corner. */
  function besideChip() {
    const { x, y } = element.getBoundingClientRect();
    dialog.dataset.corner = `${y < innerHeight / 2 ? "top" : "bottom"} ${x < innerWidth / 2 ? "left" : "right"}`;
  }
}

/** A page that wants to save its work listens for this event and hands in promises. */
function askPage(reason: EndCause): Promise<void> {
  const work: unknown[] = [];
  const waitUntil = (promise: unknown) => work.push(promise);
  document.dispatchEvent(new CustomEvent("sessiongate:beforeend", { detail: { reason, waitUntil } }));
  return bounded(Promise.allSettled(work));
}

/** Settles with `work`, whatever becomes of it, or when an app has had its time. */
export function bounded(work: Promise<unknown>): Promise<void> {
  const enough = new Promise((resolve) => setTimeout(resolve, SAVING_MS));
  return Promise.race([work, enough]).then(
    () => {},
    () => {},
  );
}

function hourglass() {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.appendChild(document.createElementNS(ns, "path")).setAttribute("d", HOURGLASS);
  return svg;
}

/** 128 random bits. Not randomUUID, which plain HTTP pages don't have. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
