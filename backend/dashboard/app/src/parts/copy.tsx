import { useEffect, useRef, useState } from "react";

const STATUS_MS = 3_000;

/** Copies a text and reports it. Without clipboard access, it selects the text and names the keys to press. */
function useCopy(text: string, select: () => void): { status: string; copy: () => void } {
  const [status, setStatus] = useState("");
  useEffect(() => {
    if (!status) return;
    const timer = setTimeout(() => setStatus(""), STATUS_MS);
    return () => clearTimeout(timer);
  }, [status]);
  const copy = () =>
    // Available only over TLS or on localhost.
    void (navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => setStatus("Copied"),
      () => {
        select();
        setStatus("Press Ctrl+C to copy");
      },
    );
  return { status, copy };
}

/** A field with a copy button. */
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

/** A short text with a copy button. `what` names the text for screen readers. */
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
