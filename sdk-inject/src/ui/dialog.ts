import { createActions, isTransient } from "../actions";
import type { GateError } from "../errors";
import { formatClock, formatSpan, returnAddress } from "../format";
import type { Extension } from "../protocol";
import dialogCss from "./dialog.css";
import { el, icon } from "./dom";
import type { Dialogs, Kit, View } from "./timer";
import { en as words } from "./words";

/** All that can be shown: what others may open, and the question before ending. */
type Shown = View | "confirm";

/** A dialog that opens by itself may meet a key that was meant for the page: for
 *  this long it takes no purchase. */
const GUARD_MS = 700;
/** How long the ended screen stays before it leads back. */
const RETURN_SECONDS = 5;
const CROSS = "M4 4l8 8m0-8l-8 8";
const HOURGLASS = "M4 2h8M4 14h8M5 2v2.500L8 8l3-3.500V2M5 14v-2.500L8 8l3 3.500V14";

/** The dialogs: one native modal element whose content is the current view. */
export function createDialogs(kit: Kit): Dialogs {
  const { session, clock } = kit;
  const { language } = kit.strings;
  const actions = createActions({ ...kit, newKey });
  const timeOfDay = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
  kit.adopt(dialogCss);
  const dialog = el("dialog", { "aria-labelledby": "title" });
  kit.root.append(dialog);
  const error = el("p", { class: "error", role: "alert" });
  let shown: Shown | undefined;
  let guardedUntil = 0;
  let busy = false;
  /** Brings the current view's live parts up to date. */
  let refresh = () => {};
  let returning: unknown;
  let returnSeconds = RETURN_SECONDS;

  const view = () => {
    const state = session.state();
    return "view" in state ? state.view : undefined;
  };
  const hostOf = (address: string) => new URL(address).host;
  const span = () => formatSpan(session.remaining() / 1000, language, "long");

  function button(kind: string, testid: string, press: () => unknown, ...label: (Node | string)[]) {
    const made = el("button", { class: kind, "data-testid": testid }, ...label);
    made.addEventListener("click", press);
    return made;
  }

  /** A button that calls the gate: one call at a time, its failure said in words. */
  function caller(kind: string, testid: string, call: () => unknown, ...label: (Node | string)[]) {
    const press = async () => {
      if (busy || made.ariaDisabled) return;
      busy = true;
      error.replaceChildren();
      // Not `disabled`: that would drop the keyboard's place.
      made.setAttribute("aria-disabled", "true");
      try {
        await call();
      } catch (failure) {
        explain(failure as GateError);
      }
      made.removeAttribute("aria-disabled");
      busy = false;
    };
    const made = button(kind, testid, press, ...label);
    return made;
  }

  function explain(failure: GateError) {
    const { code, problem } = failure;
    if (code === "consent_required") {
      const address = returnAddress(problem.consent_url);
      const link = { href: address, target: "_blank", rel: "noopener" };
      error.append(words.consent, " ");
      if (address) error.append(el("a", link, words.consentLink(hostOf(address))));
    } else
      error.append(
        code === "insufficient_tokens"
          ? words.insufficient
          : isTransient(failure)
            ? words.unreachable
            : words.failed,
      );
  }

  const heading = (text: string) => el("h2", { id: "title" }, text);
  const closer = () => {
    const made = button("x", "close-session-dialog", close, icon(CROSS));
    made.ariaLabel = words.close;
    return made;
  };
  const endButton = () => button("act", "end-session", () => draw("confirm"), words.end);

  function extendButton(offer: Extension) {
    const label =
      (offer.used ?? 0) < offer.max_count
        ? [
            words.extend(formatSpan(offer.additional_seconds, language, "short")),
            " ",
            el("small", {}, words.price(offer.tokens)),
          ]
        : [words.moreTime];
    const made = caller("act main wide", "extend-session", () => actions.extend(offer), ...label);
    const guarded = guardedUntil - clock.elapsed();
    if (guarded > 0) {
      // Said, not only done: a person sees it, and so does assistive technology.
      made.setAttribute("aria-disabled", "true");
      clock.setTimeout(() => made.removeAttribute("aria-disabled"), guarded);
    }
    return made;
  }

  function clockView(): Node[] {
    const { extension, pause } = view() ?? {};
    const big = el("div", { class: "big" });
    const until = el("p");
    const row = el("div", { class: "row" });
    row.append(
      extension ? extendButton(extension) : button("act main wide", "keep-session", close, words.keepGoing),
    );
    if (pause && (pause.used ?? 0) < pause.max_count)
      row.append(caller("act", "pause-session", actions.pause, words.pause));
    row.append(endButton());
    const drawn = JSON.stringify([extension, pause]);
    refresh = () => {
      const { expires_at = 0, extension, pause } = view() ?? {};
      const left = session.remaining();
      big.textContent = formatClock(left);
      big.dataset.tone = left <= 60_000 ? "danger" : shown === "warning" ? "warn" : "";
      until.textContent = words.endsAt(timeOfDay.format(expires_at * 1000));
      // Another offer must be seen before it is taken.
      if (shown && !busy && drawn !== JSON.stringify([extension, pause])) draw(shown, true);
    };
    if (shown === "panel")
      return [
        heading(words.panelTitle),
        big,
        until,
        error,
        row,
        button("link", "move-timer", kit.moveChip, words.move),
        closer(),
      ];
    return [
      heading(words.warningTitle),
      big,
      until,
      el("p", {}, extension ? words.canExtend : words.cannotExtend),
      error,
      row,
      closer(),
    ];
  }

  function confirmView(): Node[] {
    const keep = button("act", "keep-session", close, words.keepGoing);
    const stop = caller("act stop", "confirm-end-session", end, words.end);
    return [
      heading(words.confirmTitle),
      el("p", {}, words.confirmText(span())),
      error,
      el("div", { class: "row" }, keep, stop),
    ];
  }

  /** Who asked to end is not kept waiting. */
  async function end() {
    returnSeconds = 0;
    try {
      await actions.end();
    } catch (failure) {
      returnSeconds = RETURN_SECONDS;
      throw failure;
    }
  }

  function pausedView(): Node[] {
    const resume = caller("act main", "resume-session", actions.resume, words.resume);
    return [
      heading(words.pausedTitle),
      el("p", {}, words.pausedText(span())),
      error,
      el("div", { class: "row" }, endButton(), resume),
      closer(),
    ];
  }

  function endedView(): Node[] {
    const state = session.state();
    if (state.phase !== "ended") return [];
    const address = returnAddress(state.returnUrl, state.sessionId);
    const line = el("p", {}, words.closeTab);
    const content: Node[] = [
      el("div", { class: "badge" }, icon(HOURGLASS)),
      heading(words.endedTitle),
      el("p", {}, words.ended[state.reason]),
      line,
    ];
    if (!address) return content;
    const host = hostOf(address);
    const countBack = (seconds: number) => {
      line.textContent = words.redirecting(host, seconds);
      if (seconds) returning = clock.setTimeout(() => countBack(seconds - 1), 1000);
      else kit.go(address);
    };
    clock.clearTimeout(returning);
    countBack(returnSeconds);
    const link = el("a", { class: "act main", href: address }, words.goNow(host));
    return [...content, el("div", { class: "row" }, link)];
  }

  const views = {
    warning: clockView,
    panel: clockView,
    confirm: confirmView,
    paused: pausedView,
    ended: endedView,
  };

  function draw(next: Shown, keepError = false) {
    shown = next;
    // The panel, and what follows from it, stay by the chip.
    if (next !== "confirm") dialog.classList.toggle("near", next === "panel");
    refresh = () => {};
    if (!keepError) error.replaceChildren();
    dialog.dataset.view = next;
    dialog.dataset.testid = `session-${next}`;
    dialog.replaceChildren(...views[next]());
    refresh();
    if (!dialog.open) dialog.showModal();
    // On the step that keeps the user working; never on the one that ends.
    (
      dialog.querySelector<HTMLElement>(".main") ??
      dialog.querySelector<HTMLElement>(".act") ??
      dialog
    ).focus();
  }

  function close() {
    if (shown === "ended") return;
    shown = undefined;
    dialog.close();
  }

  // Escape closes what may be closed. Held at keydown, away from the page, which
  // may have its own use for it.
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", () => {
    // A browser may close it regardless (a back gesture); the end stays the end.
    if (shown === "ended") draw(shown);
    else shown = undefined;
  });
  // Beside the panel: the backdrop is the dialog's.
  dialog.addEventListener("click", ({ target, clientX, clientY }) => {
    const { x, y, right, bottom } = dialog.getBoundingClientRect();
    const beside = clientX < x || clientX > right || clientY < y || clientY > bottom;
    if (target === dialog && beside && shown === "panel") close();
  });

  return {
    close,
    update: () => refresh(),
    open(next) {
      // A question that the user is answering is not swept away by a warning.
      if (shown === next || (shown && next === "warning")) return;
      if (next === "warning") guardedUntil = clock.elapsed() + GUARD_MS;
      draw(next);
    },
    restore() {
      if (!shown) return;
      // Taken out of the document, an open dialog stays open but is no longer modal.
      dialog.removeAttribute("open");
      draw(shown, true);
    },
  };
}

/** 128 random bits. Not randomUUID, which plain HTTP pages don't have. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
