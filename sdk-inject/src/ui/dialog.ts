/** dialog.js: the dialog, and the warning in it. What actions.js shows, it shows in here. */

import type { Extension, SessionView } from "../protocol";
import { formatUnit } from "../units";
import dialogCss from "./dialog.css";
import type { ActionsPanel, DialogContext, Dialogs, Frame, Shown, View } from "./interfaces";
import { createNotices } from "./notices";
import { en, type Words } from "./words";

/** A view that comes by itself may meet a press that was meant for the page; one that follows a
 *  press, the second of a double click. For so long, no button calls the gate. */
const GUARD_MS = { alone: 700, asked: 400 };
/** Someone types on without looking up. Keys press nothing until they have rested for so long. */
const REST_MS = 1_200;
/** Keys that neither write nor press. */
const MOVES = /^(Shift|Control|Alt|Meta|Arrow|Page|Home|End)/;
/** How often to look whether the page has covered the dialog. */
const LOOK_MS = 1_000;

/** The dialogs: one native modal element whose content is the current view. */
export function createDialogs(context: DialogContext): Dialogs {
  const { session, clock, root, strings, el, chip } = context;
  const { language } = strings;
  const words: Words = context.words ?? en;
  let shown: Shown | undefined;
  let guardedUntil = 0;
  let keysRestAt = 0;
  /** The key that went down as a press: the same key coming up completes it. */
  let pressing = "";
  let looking: unknown;
  let raisedAt = Number.NEGATIVE_INFINITY;
  /** Brings the current view's live parts up to date. */
  let refresh = () => {};
  let loading: Promise<ActionsPanel> | undefined;

  context.addStyles(dialogCss);
  const error = el("p", { class: "error", role: "alert" });
  const status = el("p", { role: "status" });
  const dialog = el("dialog", { "aria-labelledby": "title", "aria-describedby": "said text" });
  status.id = "said";
  root.lang = language;
  // Ours, not the page's.
  dialog.dir = language === "ar" ? "rtl" : "ltr";
  root.append(status, dialog);

  const view = () => (session.state() as { view?: SessionView }).view;

  const actionsPanel = () => {
    loading ??= context.parts.actionsPanel().then(({ createActionsPanel }) => createActionsPanel(frame));
    // Until it works.
    loading.catch(() => {
      loading = undefined;
    });
    return loading;
  };

  const heading: Frame["heading"] = (text) =>
    el("h2", { id: "title", tabindex: "-1" }, ...(chip.own?.ownName() ?? []), text);
  const row: Frame["row"] = (...children) => el("div", { class: "row" }, ...children);
  const button: Frame["button"] = (kind, testid, press, label) => {
    const made = el("button", { class: kind, "data-testid": testid }, label);
    made.onclick = press;
    return made;
  };

  const caller: Frame["caller"] = (kind, testid, call, label) => {
    const press = () =>
      actionsPanel().then(
        (loaded) => loaded.press(made, call),
        () => error.replaceChildren(strings.lost),
      );
    const made = button(kind, testid, press, label);
    const guarded = guardedUntil - clock.elapsed();
    if (guarded > 0) {
      // Said, not only done: a person sees it, and so does assistive technology.
      made.setAttribute("aria-disabled", "true");
      clock.setTimeout(() => made.removeAttribute("aria-disabled"), guarded);
    }
    return made;
  };

  const endButton = () => button("act", "end-session", () => draw("confirm"), words.end);

  function extendButton(offer: Extension) {
    const { tokens, used = 0, max_count, additional_seconds } = offer;
    const label =
      used < max_count
        ? `+${formatUnit(additional_seconds, words.unit, true)} ${words.price(tokens)}`
        : words.moreTime;
    return caller("act main", "extend-session", (loaded) => loaded.extend(offer), label);
  }

  const clockView: Frame["clockView"] = (title, rest, onRefresh) => {
    const drawn = view();
    const big = el("div", { class: "big", "data-tone": session.remaining() > 60_000 ? "warn" : "danger" });
    refresh = () => {
      const now = view();
      if (!now || !shown) return;
      // Another offer must be seen before it is taken.
      if (now.version !== drawn?.version) return draw(shown);
      big.textContent = context.formatClock(session.remaining());
      onRefresh?.(now);
    };
    return [
      heading(title),
      big,
      ...rest,
      error,
      row(
        drawn?.extension ? extendButton(drawn.extension) : "",
        button("act", "close-session-dialog", close, words.close),
        endButton(),
      ),
    ];
  };

  /** Shows a view; `alone`: not because the user asked for it. */
  function draw(next: Shown, alone = shown === next) {
    if (next === "warning")
      put(next, alone, () => clockView(words.warningTitle, [own("warning", words.advice)]));
    else void actionsPanel().then((loaded) => put(next, alone, loaded[next]));
  }

  const text: Frame["text"] = (said) => el("p", { id: "text" }, said);
  const own: Frame["own"] = (which, said) => {
    const made = text(said);
    chip.own?.ownText(which, made);
    return made;
  };
  const focused = () => (root.getRootNode() as ShadowRoot).activeElement as HTMLElement | null;

  function put(next: Shown, alone: boolean, make: () => Node[]) {
    const now = clock.elapsed();
    const place = shown === next && focused()?.dataset.testid;
    if (shown !== next) error.replaceChildren();
    shown = next;
    guardedUntil = now + (alone ? GUARD_MS.alone : GUARD_MS.asked);
    if (alone) keysRestAt = now + REST_MS;
    dialog.dataset.testid = `session-${next}`;
    // What kept the view before up to date would draw this one again and again.
    refresh = () => {};
    // What is spoken is inside: beside a modal dialog it would be inert.
    dialog.replaceChildren(...make(), status);
    refresh();
    show();
    // Where nothing is pressed: whoever types on must not buy, resume or leave by it.
    const kept = place && dialog.querySelector<HTMLElement>(`[data-testid="${place}"]`);
    (kept || dialog.querySelector<HTMLElement>("h2") || dialog).focus();
    if (!looking) look();
  }

  function show() {
    if (!dialog.open) dialog.showModal();
  }

  /** Again above what the page opened since. */
  function raise() {
    const now = clock.elapsed();
    // Not more often: the page may insist, too.
    if (!shown || !dialog.open || now - raisedAt < LOOK_MS || !context.isCovered(dialog)) return;
    raisedAt = now;
    const before = focused();
    dialog.close();
    show();
    (before ?? dialog.querySelector("h2"))?.focus();
  }

  function look() {
    looking = clock.setTimeout(() => {
      looking = undefined;
      if (!shown) return;
      if (context.doc.visibilityState !== "hidden") raise();
      look();
    }, LOOK_MS);
  }

  function close() {
    if (shown === "ended") return;
    dismiss();
  }

  function dismiss() {
    shown = undefined;
    root.append(status);
    dialog.close();
  }

  // A browser may close it regardless (a back gesture); the end stays the end.
  dialog.onclose = () => {
    if (dialog.open) return; // raised
    if (shown === "ended") draw(shown);
    else dismiss();
  };

  const frame: Frame = {
    context,
    dialog,
    error,
    status,
    words,
    shown: () => shown,
    button,
    caller,
    heading,
    row,
    endButton,
    clockView,
    draw,
    close,
    dismiss,
    text,
    own,
  };

  // Escape closes what may be closed. Held at keydown, away from the page, which
  // may have its own use for it.
  dialog.onkeydown = (event) => {
    const { key, repeat } = event;
    event.stopPropagation();
    pressing = "";
    if (MOVES.test(key)) return;
    const now = clock.elapsed();
    const rested = now >= keysRestAt;
    if (key === "Escape") close();
    else if (key === "Tab" && rested) return;
    else if (/^(Enter| )$/.test(key) && rested && !repeat) {
      pressing = key;
      return;
    } else if (key !== "Tab") keysRestAt = now + REST_MS;
    if (/^(Escape|Tab|Enter| )$/.test(key)) event.preventDefault();
  };
  dialog.onkeyup = (event) => {
    event.stopPropagation();
    if (event.key === " " && pressing !== " ") event.preventDefault();
  };

  function open(next: View) {
    // While we loaded, the reason may have gone.
    if (session.state().phase !== (/d$/.test(next) ? next : "active")) return; // paused, ended
    // A browser may have closed it by itself (a back gesture).
    if (!dialog.open) shown = undefined;
    // A question that the user is answering is not swept away by a warning.
    if (shown === next || (shown && next === "warning")) return;
    draw(next, next !== "panel");
  }

  const notice = createNotices(frame, () => open("warning"), actionsPanel);
  return {
    close,
    open,
    update() {
      notice();
      refresh();
    },
    restore() {
      if (!shown) return;
      // Taken out of the document, an open dialog stays open but is no longer modal.
      dialog.removeAttribute("open");
      draw(shown);
    },
    raise,
  };
}
