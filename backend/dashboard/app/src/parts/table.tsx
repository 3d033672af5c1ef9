import type { ReactNode } from "react";

export interface Column<T> {
  name: string;
  /** Right-aligned. */
  number?: boolean;
  /** Hidden on narrow screens. */
  wide?: boolean;
  show: (row: T) => ReactNode;
}

interface TableProps<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
  busy?: boolean;
}

/** A table. On narrow screens each row is a card with the names of the columns. */
export function Table<T>({ label, columns, rows, id, busy = false }: TableProps<T>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be focusable
    <section className="scroll" aria-label={`${label}, table`} tabIndex={0}>
      <table aria-busy={busy}>
        <thead>
          <tr>
            {columns.map(({ name, number, wide }) => (
              <th key={name} scope="col" className={classes(number, wide)}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} data-id={id(row)}>
              {columns.map(({ name, number, wide, show }) => (
                <td key={name} className={classes(number, wide)} data-name={name}>
                  {show(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const classes = (number?: boolean, wide?: boolean): string | undefined =>
  [number && "number", wide && "wide"].filter(Boolean).join(" ") || undefined;

interface PagerProps {
  /** Whether there is a previous page. */
  newer: boolean;
  older: boolean;
  busy: boolean;
  onNewer: () => void;
  onOlder: () => void;
  note?: string;
}

export function Pager({ newer, older, busy, onNewer, onOlder, note }: PagerProps) {
  if (!newer && !older) return note ? <p className="muted pager">{note}</p> : null;
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" className="small" disabled={!newer || busy} onClick={onNewer}>
        ← Newer
      </button>
      <span className="muted">{note}</span>
      <button type="button" className="small" disabled={!older || busy} onClick={onOlder}>
        Older →
      </button>
    </nav>
  );
}
