/** dialog.js: the dialog, and the warning in it. What actions.js shows, it shows in here. */
import { formatUnit } from "../format";
import type { Extension, SessionView } from "../protocol";
import dialogCss from "./dialog.css";
import type { ActionsPanel, DialogContext, Dialogs, Frame, Shown, View } from "./interfaces";
import { createNotices } from "./notices";
import { en, type Words } from "./words";

/** A dialog that opens by itself may meet a key that was meant for the page: for
 *  this long it takes no purchase. */
const GUARD_MS = 700;

/** The dialogs: one native modal element whose content is the current view. */
export function createDialogs(context: DialogContext): Dialogs {
  const { session, clock, root, strings, el } = context;
  const { language } = strings;
  const words: Words = context.words ?? en;
  let shown: Shown | undefined;
  let guardedUntil = 0;
  /** Brings the current view's live parts up to date. */
  let refresh = () => {};
  let loading: Promise<ActionsPanel> | undefined;

  context.adopt(dialogCss);
  const error = el("p", { class: "error", role: "alert" });
  const status = el("p", { role: "status" });
  const dialog = el("dialog", { "aria-labelledby": "title" });
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

  const heading: Frame["heading"] = (text) => el("h2", { id: "title" }, text);
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
    return made;
  };

  const endButton = () => button("act", "end-session", () => draw("confirm"), words.end);

  function extendButton(offer: Extension) {
    const { tokens, used = 0, max_count, additional_seconds } = offer;
    const label =
      used < max_count
        ? `+${formatUnit(additional_seconds, words.unit, true)} ${words.price(tokens)}`
        : words.moreTime;
    const made = caller("act main", "extend-session", (loaded) => loaded.extend(offer), label);
    const guarded = guardedUntil - clock.elapsed();
    if (guarded > 0) {
      // Said, not only done: a person sees it, and so does assistive technology.
      made.ariaDisabled = "true";
      clock.setTimeout(() => {
        made.ariaDisabled = null;
      }, guarded);
    }
    return made;
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

  function draw(next: Shown) {
    if (next === "warning") put(next, clockView(words.warningTitle, [el("p", {}, words.advice)]));
    else void actionsPanel().then((loaded) => put(next, loaded[next]()));
  }

  function put(next: Shown, nodes: Node[]) {
    if (shown !== next) error.replaceChildren();
    shown = next;
    dialog.dataset.testid = `session-${next}`;
    dialog.replaceChildren(...nodes);
    refresh();
    if (!dialog.open) dialog.showModal();
    // On the step that keeps the user working; never on the one that ends.
    (dialog.querySelector<HTMLElement>(".main,.act") ?? dialog).focus();
  }

  function close() {
    if (shown === "ended") return;
    shown = undefined;
    dialog.close();
  }

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
  };

  // Escape closes what may be closed. Held at keydown, away from the page, which
  // may have its own use for it.
  dialog.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  };

  function open(next: View) {
    // While we loaded, the reason may have gone.
    if (session.state().phase !== (/d$/.test(next) ? next : "active")) return; // paused, ended
    // A browser may have closed it by itself (a back gesture).
    if (!dialog.open) shown = undefined;
    // A question that the user is answering is not swept away by a warning.
    if (shown === next || (shown && next === "warning")) return;
    if (next === "warning") guardedUntil = clock.elapsed() + GUARD_MS;
    draw(next);
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
  };
}
