import { useEffect, useRef, useState } from "react";

const SAID_MS = 3_000;

/** Copies a text and says so; where the page may not, it selects the text and says which keys do. */
function useCopy(text: string, select: () => void): { said: string; copy: () => void } {
  const [said, say] = useState("");
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => say(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () =>
    // Only there where the page came by TLS, or from this machine.
    void (navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => say("Copied"),
      () => {
        select();
        say("Press Ctrl+C to copy");
      },
    );
  return { said, copy };
}

/** Something to copy, shown whole: a field of its own. */
export function Copy({ text, label }: { text: string; label: string }) {
  const box = useRef<HTMLInputElement>(null);
  const { said, copy } = useCopy(text, () => box.current?.select());
  return (
    <div className="copy">
      <input ref={box} readOnly value={text} aria-label={label} onFocus={() => box.current?.select()} />
      <button type="button" onClick={copy}>
        Copy
      </button>
      <span className="muted" role="status">
        {said}
      </span>
    </div>
  );
}

/** A short text with a button that copies it. `what` says which, for who does not see them side by side. */
export function CopyText({ text, what }: { text: string; what: string }) {
  const shown = useRef<HTMLSpanElement>(null);
  const { said, copy } = useCopy(text, () => {
    if (shown.current) getSelection()?.selectAllChildren(shown.current);
  });
  return (
    <span className="copy-text">
      <span ref={shown} className="mono wrap">
        {text}
      </span>
      <button type="button" className="small" onClick={copy}>
        {said === "Copied" ? "Copied" : "Copy"}
        <span className="hidden"> {what}</span>
      </button>
      <span role="status" className={said && said !== "Copied" ? "muted" : "hidden"}>
        {said}
      </span>
    </span>
  );
}
