import { useEffect, useRef, useState } from "react";

const STATUS_MS = 3_000;

/** Copies a text and says so; where the page may not, it selects the text and says which keys do. */
function useCopy(text: string, select: () => void): { status: string; copy: () => void } {
  const [status, setStatus] = useState("");
  useEffect(() => {
    if (!status) return;
    const timer = setTimeout(() => setStatus(""), STATUS_MS);
    return () => clearTimeout(timer);
  }, [status]);
  const copy = () =>
    // Only there where the page came by TLS, or from this machine.
    void (navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => setStatus("Copied"),
      () => {
        select();
        setStatus("Press Ctrl+C to copy");
      },
    );
  return { status, copy };
}

/** Something to copy, shown whole: a field of its own. */
export function Copy({ text, label }: { text: string; label: string }) {
  const box = useRef<HTMLInputElement>(null);
  const { status, copy } = useCopy(text, () => box.current?.select());
  return (
    <div className="copy">
      <input ref={box} readOnly value={text} aria-label={label} onFocus={() => box.current?.select()} />
      <button type="button" onClick={copy}>
        Copy
      </button>
      <span className="muted" role="status">
        {status}
      </span>
    </div>
  );
}

/** A short text with a button that copies it. `what` says which, for who does not see them side by side. */
export function CopyText({ text, what }: { text: string; what: string }) {
  const shown = useRef<HTMLSpanElement>(null);
  const { status, copy } = useCopy(text, () => {
    if (shown.current) getSelection()?.selectAllChildren(shown.current);
  });
  return (
    <span className="copy-text">
      <span ref={shown} className="mono wrap">
        {text}
      </span>
      <button type="button" className="small" onClick={copy}>
        {status === "Copied" ? "Copied" : "Copy"}
        <span className="hidden"> {what}</span>
      </button>
      <span role="status" className={status && status !== "Copied" ? "muted" : "hidden"}>
        {status}
      </span>
    </span>
  );
}
