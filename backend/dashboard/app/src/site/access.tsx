import { useEffect, useState } from "react";
import { length, number } from "../format";
import { Field, Radios, Tick } from "../parts/form";
import { Lockable, NumberField, SettingPanel, type SiteFormProps } from "./form";
import { pathProblems, pathsOf, suggestions } from "./paths";

export function AccessPanel({ site, set, errors, locked }: SiteFormProps) {
  const [text, setText] = useState(site.open_paths.join("\n"));
  const list = site.open_paths.join("\n");
  // The form was reset, or the settings came back from the service.
  useEffect(() => {
    setText((now) => (pathsOf(now).join("\n") === list ? now : list));
  }, [list]);
  const problems = pathProblems(text);
  const type = (now: string) => {
    setText(now);
    set({ open_paths: pathsOf(now) });
  };
  return (
    <SettingPanel
      id="access"
      title="Access"
      note="What visitors may open without a session, and what your app's server learns about those who do."
    >
      <Lockable locked={locked.includes("open_paths")}>
        <Field
          label="Open paths"
          lines={5}
          value={text}
          onInput={type}
          error={errors.open_paths}
          problems={problems.map(({ line, text: said }) => `Line ${line}: ${said}`)}
          placeholder={"/robots.txt\n/hooks/*"}
          hint="One a line. Anyone may open them without a session. A star at the end stands for the rest: /hooks/*. Default: none."
        />
        <fieldset className="suggestions">
          <legend className="hint">Often open</legend>
          {suggestions.map(({ name, paths }) => {
            const missing = paths.filter((path) => !site.open_paths.includes(path));
            return (
              <button
                key={name}
                type="button"
                className="small"
                disabled={!missing.length}
                title={paths.join("  ")}
                onClick={() => type([text.trimEnd(), ...missing].filter(Boolean).join("\n"))}
              >
                {missing.length ? "+" : "✓"} {name}
              </button>
            );
          })}
        </fieldset>
      </Lockable>
      <Lockable locked={locked.includes("max_sessions")}>
        <NumberField
          label="Sessions at once"
          value={site.max_sessions}
          error={errors.max_sessions}
          onNumber={(max_sessions) => set({ max_sessions })}
          hint={
            site.max_sessions
              ? `A sale beyond ${number(site.max_sessions)} is refused with the time when the next session ends. 0: no limit, the default.`
              : "0: no limit, the default."
          }
        />
      </Lockable>
      <Lockable locked={locked.includes("upload_grace_seconds")}>
        <NumberField
          label="Upload grace, in seconds"
          value={site.upload_grace_seconds}
          error={errors.upload_grace_seconds}
          onNumber={(upload_grace_seconds) => set({ upload_grace_seconds })}
          hint={
            site.upload_grace_seconds
              ? `An upload that has begun may go on for ${length(site.upload_grace_seconds)} after the end. 0: it is cut, the default.`
              : "How long an upload that has begun may go on after the end. 0: it is cut, the default."
          }
        />
      </Lockable>
      <Lockable locked={locked.includes("forward_identity")}>
        <Radios
          label="User and session for your app's server"
          value={site.forward_identity}
          onChoose={(forward_identity) => set({ forward_identity })}
          options={[
            ["headers", "In headers", "Session-Gate-User and others. The default."],
            ["jwt", "In headers and a signed token", "The token proves that it comes from the gate."],
            ["off", "Not at all", "Your app learns nothing about the session."],
          ]}
        />
        {errors.forward_identity && <p className="field-error">{errors.forward_identity}</p>}
      </Lockable>
      <Lockable locked={locked.includes("cookie")}>
        <Radios
          label="Cookie"
          value={site.cookie}
          onChoose={(cookie) => set({ cookie })}
          options={[
            ["lax", "For your site", "The default, and right for most apps."],
            [
              "partitioned",
              "Also in frames of other sites",
              "For an app that other sites show in a frame. Needs https.",
            ],
          ]}
        />
        {errors.cookie && <p className="field-error">{errors.cookie}</p>}
      </Lockable>
    </SettingPanel>
  );
}

/** The value of a date-and-time field, in the browser's time zone. */
function local(seconds: number): string {
  if (!seconds) return "";
  const ms = seconds * 1000;
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function MaintenancePanel({ site, set, errors, locked }: SiteFormProps) {
  const { maintenance } = site;
  const change = (part: Partial<typeof maintenance>) => set({ maintenance: { ...maintenance, ...part } });
  return (
    <SettingPanel
      id="maintenance"
      title="Maintenance"
      note="Closes the app for a while. Visitors see a page that says so, and nothing is sold meanwhile."
    >
      <Lockable locked={locked.includes("maintenance")}>
        <Tick
          label="Close the app for maintenance"
          hint="Clocks of paid sessions stand still from the moment you save, and run on when you open the app again. Default: open."
          on={maintenance.on}
          onTick={(on) => change({ on })}
        />
        <Field
          label="Message"
          lines={2}
          max={300}
          value={maintenance.message}
          error={errors["maintenance.message"]}
          onInput={(message) => change({ message })}
          placeholder="We are moving to a faster server."
          hint="Shown on the page, as plain text. Empty: our own words alone."
        />
        <Field
          label="Expected end"
          type="datetime-local"
          value={local(maintenance.until)}
          error={errors["maintenance.until"]}
          onInput={(text) => change({ until: Math.floor(Date.parse(text) / 1000) || 0 })}
          hint="Shown to visitors. It opens nothing by itself: turn the maintenance off when you are done. Empty: not known."
        />
      </Lockable>
    </SettingPanel>
  );
}
