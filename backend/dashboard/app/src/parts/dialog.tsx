import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { Problem } from "./states";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  wide?: boolean;
}

/** A modal dialog. The browser's own element keeps the focus and closes on Escape. */
export function Dialog({ title, onClose, children, wide }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const gone = useRef(false); // removed by its owner: onClose must not be called
  const id = useId();
  // Open it before the next key press. Later, it would take the focus from another element.
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const it = dialog.current;
    it?.showModal();
    it?.querySelector<HTMLElement>("input:not([readonly]), select, textarea")?.focus();
    return () => {
      gone.current = true;
      it?.close(); // elements outside an open dialog cannot take the focus
      if (before?.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={wide ? "wide" : undefined}
      aria-labelledby={id}
      onClose={() => gone.current || onClose()}
      onCancel={(event: Event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="dialog">
        <header className="panel-head">
          <h2 id={id}>{title}</h2>
          <button type="button" className="icon" aria-label="Close" onClick={onClose}>
            ✕
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface FormDialogProps extends DialogProps {
  submit: string;
  danger?: boolean;
  busy: boolean;
  error: string;
  onSubmit: () => void;
}

/** A dialog with a form and one action. */
export function FormDialog({ submit, danger, busy, error, onSubmit, children, ...dialog }: FormDialogProps) {
  return (
    <Dialog {...dialog}>
      <form
        className="form"
        onSubmit={(event: Event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        {children}
        <div className="dialog-foot">
          {error && <Problem text={error} />}
          <div className="actions end">
            <button type="button" onClick={dialog.onClose}>
              Cancel
            </button>
            <button type="submit" className={danger ? "danger" : "primary"} disabled={busy}>
              {busy ? "Working…" : submit}
            </button>
          </div>
        </div>
      </form>
    </Dialog>
  );
}
