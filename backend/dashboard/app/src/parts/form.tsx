import { type ReactNode, useId } from "react";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  value: string;
  onInput: (value: string) => void;
  type?: "text" | "url" | "email" | "number" | "date" | "datetime-local" | "search";
  lines?: number;
  required?: boolean;
  placeholder?: string;
  max?: number;
  readOnly?: boolean;
  /** What is wrong with the value. */
  error?: string | undefined;
  /** What is wrong with its lines, as the user types. */
  problems?: string[];
}

/** A field with a label and a hint. */
export function Field(props: FieldProps) {
  const { label, hint, value, onInput, type = "text", lines, required, placeholder, max, readOnly } = props;
  const { error, problems } = props;
  const id = useId();
  const shared = {
    id,
    value,
    required,
    placeholder,
    readOnly,
    maxLength: max,
    "aria-describedby":
      [error && `${id}e`, problems && `${id}p`, hint && `${id}h`].filter(Boolean).join(" ") || undefined,
    "aria-invalid": error || problems?.length ? ("true" as const) : undefined,
    onInput: (event: Event) => onInput((event.target as HTMLInputElement).value),
  };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {lines ? (
        <textarea rows={lines} spellcheck={false} {...shared} />
      ) : (
        // Preact types each element separately; here they take the same attributes.
        <input type={type as "text"} autocomplete="off" {...shared} />
      )}
      {error && (
        <p className="field-error" id={`${id}e`}>
          {error}
        </p>
      )}
      {problems && (
        <ul className="field-error" id={`${id}p`} aria-live="polite">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      )}
      {hint && (
        <p className="hint" id={`${id}h`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [value: T, name: string])[];
  onChoose: (value: T) => void;
  hint?: string;
}

export function Select<T extends string>({ label, value, options, onChoose, hint }: ChoiceProps<T>) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        aria-describedby={hint ? `${id}h` : undefined}
        onChange={(event: Event) => onChoose((event.target as HTMLSelectElement).value as T)}
      >
        {options.map(([option, name]) => (
          <option key={option} value={option} selected={option === value}>
            {name}
          </option>
        ))}
      </select>
      {hint && (
        <p className="hint" id={`${id}h`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface RadiosProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [value: T, name: string, hint: string])[];
  onChoose: (value: T) => void;
}

/** Radio buttons with explanations. */
export function Radios<T extends string>({ label, value, options, onChoose }: RadiosProps<T>) {
  const id = useId();
  return (
    <fieldset className="radios">
      <legend>{label}</legend>
      {options.map(([option, name, hint]) => (
        <label key={option}>
          <input
            type="radio"
            name={id}
            value={option}
            checked={option === value}
            onChange={() => onChoose(option)}
          />
          <span>
            <span className="strong">{name}</span>
            <span className="hint">{hint}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

interface TickProps {
  label: string;
  hint?: string;
  on: boolean;
  onTick: (on: boolean) => void;
}

export function Tick({ label, hint, on, onTick }: TickProps) {
  return (
    <label className="tick">
      <input
        type="checkbox"
        checked={on}
        onChange={(event: Event) => onTick((event.target as HTMLInputElement).checked)}
      />
      <span>
        {label}
        {hint && <span className="hint">{hint}</span>}
      </span>
    </label>
  );
}
