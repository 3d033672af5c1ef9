import { type ReactNode, useEffect, useRef } from "react";
import type { Loaded } from "../load";

/** The heading of a page. It takes the focus on navigation, so that screen readers announce it. */
export function Title({ children, text, aside }: { children?: ReactNode; text: string; aside?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${text} · Sessiongate`;
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [text]);
  return (
    <header className="head">
      <div>
        <h1 ref={heading} tabIndex={-1}>
          {text}
        </h1>
        {children && <p className="muted">{children}</p>}
      </div>
      {aside && <div className="actions">{aside}</div>}
    </header>
  );
}

/** A section of a page. */
export function Panel(props: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  note?: ReactNode;
  id?: string;
}) {
  const { title, aside, children, note, id } = props;
  return (
    <section className="panel" aria-label={title} id={id} data-testid={id}>
      <div className="panel-head">
        <h2>{title}</h2>
        {aside && <div className="actions">{aside}</div>}
      </div>
      {note && <p className="muted">{note}</p>}
      {children}
    </section>
  );
}

export function Problem({ text, retry }: { text: string; retry?: () => void }) {
  return (
    <div className="notice danger" role="alert">
      <p>{text}</p>
      {retry && (
        <button type="button" className="small" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** An empty state, with what to do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <rect className="slot" x="6" y="6" width="36" height="36" rx="10" />
        <rect className="gap" x="22" y="14" width="4" height="20" rx="2" />
      </svg>
      <p className="strong">{title}</p>
      {children && <p className="muted">{children}</p>}
    </div>
  );
}

/** A placeholder while data load. */
export function Skeleton({ rows = 4, what = "Loading" }: { rows?: number; what?: string }) {
  return (
    <div className="waiting" role="status">
      <span className="hidden">{what}…</span>
      {Array.from({ length: rows }, (_, i) => (
        <span key={i} className="bone" aria-hidden="true" />
      ))}
    </div>
  );
}

interface ShowProps<T> {
  of: Loaded<T>;
  rows?: number;
  /** The text for a 404 response. */
  missing?: string;
  children: (data: T) => ReactNode;
}

/** Shows loaded data, a placeholder, or the error. */
export function Show<T>({ of, rows, missing, children }: ShowProps<T>) {
  const { data, error, reload } = of;
  return (
    <>
      {error && error.status === 404 && missing ? (
        <Empty title="Not found">{missing}</Empty>
      ) : (
        error && <Problem text={error.message} retry={reload} />
      )}
      {data !== undefined ? children(data) : !error && <Skeleton {...(rows ? { rows } : {})} />}
    </>
  );
}

export const tones = {
  active: "good",
  completed: "good",
  delivered: "good",
  proven: "good",
  vouched: "good",
  ok: "good",
  paused: "coin",
  pending: "coin",
  warning: "warn",
  revoked: "danger",
  suspended: "danger",
  failed: "danger",
} as Record<string, string>;

/** A status label. Its mark does not rely on color alone. */
export function Badge({ tone, children }: { tone?: string | undefined; children: ReactNode }) {
  return <span className={`badge ${tone ?? ""}`}>{children}</span>;
}

/** A time, with the exact time on hover. */
export function Time({ ms, show, title }: { ms: number; show: string; title: string }) {
  return (
    <time dateTime={new Date(ms).toISOString()} title={title}>
      {show}
    </time>
  );
}
