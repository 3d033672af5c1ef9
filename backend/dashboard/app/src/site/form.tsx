import { type ReactNode, useEffect, useState } from "react";
import { Field } from "../parts/form";
import { Panel } from "../parts/states";
import type { Site } from "./model";

/** What the panels of the site settings get. */
export interface SiteFormProps {
  site: Site;
  set(change: Partial<Site>): void;
  /** What is wrong, by the name of the setting: `brand.accent`. */
  errors: Record<string, string>;
  /** The settings that the operator's Caddyfile sets. */
  locked: string[];
}

/** A panel whose settings may be locked by the operator's configuration. */
export function SettingPanel(props: { id: string; title: string; note?: ReactNode; children: ReactNode }) {
  return (
    <Panel {...props}>
      <div className="form">{props.children}</div>
    </Panel>
  );
}

/** Settings that cannot be changed here while the operator's configuration sets them. */
export function Lockable({ locked, children }: { locked: boolean; children: ReactNode }) {
  return (
    <fieldset disabled={locked} className="setting">
      {children}
      {locked && (
        <p className="locked">
          The operator's configuration sets this, and it comes first. Ask the operator to change it.
        </p>
      )}
    </fieldset>
  );
}

interface NumberFieldProps {
  label: string;
  hint: ReactNode;
  value: number;
  error?: string | undefined;
  onNumber: (value: number) => void;
}

/** A field for a whole number. Another text is NaN. */
export function NumberField({ value, onNumber, ...field }: NumberFieldProps) {
  const [text, setText] = useState(String(value));
  // The form was reset, or the settings came back from the service.
  useEffect(() => {
    setText((now) => (numberOf(now) === value || Number.isNaN(value) ? now : String(value)));
  }, [value]);
  return (
    <Field
      {...field}
      type="number"
      value={text}
      onInput={(now) => {
        setText(now);
        onNumber(numberOf(now));
      }}
    />
  );
}

const numberOf = (text: string) =>
  /^\d{1,9}$/.test(text.trim()) ? Number(text) : text.trim() ? Number.NaN : 0;
