import { type ReactNode, useState } from "react";
import { of, patch } from "../api";
import { lines, whole } from "../format";
import { useAction } from "../load";
import { Field, Radios, Tick } from "../parts/form";
import { Panel, Problem } from "../parts/states";
import { policySummary, warningsOf, warningsText } from "../policies";
import { useViewer } from "../router";
import type { Policies, Provider } from "../types";
import { ProviderKeys } from "./apikeys";
import { DomainStates } from "./dns";
import { SettingsHead } from "./tabs";

interface SettingsProps {
  provider: Provider;
  onSaved: (provider: Provider) => void;
}

export function Settings(props: SettingsProps) {
  const { reading } = useViewer();
  return (
    <>
      <SettingsHead at="">
        Sessions already sold keep their terms.{" "}
        {reading && "These are the provider's, and you may change them, too."}
      </SettingsHead>
      <AppForm {...props} />
      <DomainStates {...props} />
      <PoliciesForm {...props} />
      <ProviderKeys providerId={props.provider.id} />
    </>
  );
}

/** A form with a save button and a status. */
export function Saving({
  id,
  title,
  note,
  save,
  children,
  button = "Save",
}: {
  id: string;
  title: string;
  note?: string;
  save: () => Promise<void>;
  children: ReactNode;
  button?: string;
}) {
  const { busy, error, run } = useAction();
  const [status, setStatus] = useState("");
  return (
    <Panel id={id} title={title} note={note}>
      <form
        className="form"
        onInput={() => setStatus("")}
        onSubmit={(event: Event) => {
          event.preventDefault();
          run(async () => {
            await save();
            setStatus("Saved.");
          });
        }}
      >
        {children}
        {error && <Problem text={error} />}
        <div className="actions">
          <button type="submit" className="primary" disabled={busy}>
            {busy ? "Saving…" : button}
          </button>
          <span role="status" className="muted">
            {status}
          </span>
        </div>
      </form>
    </Panel>
  );
}

function AppForm({ provider, onSaved }: SettingsProps) {
  const [name, setName] = useState(provider.name);
  const [domains, setDomains] = useState(provider.domains.join("\n"));
  const [origin, setOrigin] = useState(provider.origin_url);
  const [app, setApp] = useState(provider.app_url);
  return (
    <Saving
      id="app"
      title="Your app"
      save={async () => {
        const saved = await patch<Provider>(of(provider.id), {
          name,
          domains: lines(domains),
          origin_url: origin.trim(),
          // Unless it is set, it follows the first domain.
          app_url: app.trim() === provider.app_url ? undefined : app.trim(),
        });
        setDomains(saved.domains.join("\n"));
        setApp(saved.app_url);
        onSaved(saved);
      }}
    >
      <Field
        label="Name"
        required
        max={200}
        value={name}
        onInput={setName}
        hint="As users read it in the marketplace."
      />
      <Field
        label="Domains"
        lines={3}
        value={domains}
        onInput={setDomains}
        hint="One a line; an address such as https://app.example.com/ works, too. Only these are gated for you, and get certificates."
      />
      <Field
        label="Origin"
        type="url"
        value={origin}
        onInput={setOrigin}
        placeholder="https://origin.example.com"
        hint="Where your app itself runs. The gate fetches pages from there; visitors never see it."
      />
      <Field
        label="Start page"
        type="url"
        value={app}
        onInput={setApp}
        hint="Where users come in after buying. Empty: the first domain."
      />
    </Saving>
  );
}

function PoliciesForm({ provider, onSaved }: SettingsProps) {
  // Who is signed in may say where sessions return to.
  const admin = useViewer().me.role === "admin";
  const now = provider.policies;
  const [settlement, setSettlement] = useState(now.settlement ?? "full");
  const [pausing, setPausing] = useState(!!now.pause?.max_count);
  const [pauses, setPauses] = useState(String(now.pause?.max_count || 2));
  const [minutes, setMinutes] = useState(String(Math.round((now.pause?.max_seconds || 600) / 60)));
  const [warnings, setWarnings] = useState(warningsText(now.warning_seconds));
  const [wait, setWait] = useState(String(Math.round((now.launch_window_seconds || 900) / 60)));
  const [hosts, setHosts] = useState((now.return_hosts ?? []).join("\n"));

  const warned = warningsOf(warnings);
  const maxCount = whole(pauses, 1, 1000);
  const maxMinutes = whole(minutes, 1, 1440);
  const waits = whole(wait, 1, 1440);
  const chosen: Policies = {
    settlement,
    ...(pausing &&
      maxCount &&
      maxMinutes && { pause: { max_count: maxCount, max_seconds: maxMinutes * 60 } }),
    warning_seconds: warned ?? [],
    launch_window_seconds: (waits ?? 15) * 60,
    ...(admin && { return_hosts: lines(hosts) }),
  };
  const problem =
    (!warned && "Warnings are minutes before the end, at most ten of them: 5, 1.") ||
    (pausing && (!maxCount || !maxMinutes) && "Pauses: 1 to 1000 times, 1 to 1440 minutes in all.") ||
    (!waits && "The wait is 1 to 1440 minutes.");
  return (
    <Saving
      id="policies"
      title="Policies"
      save={async () => {
        if (problem) throw new Error(problem);
        const saved = await patch<Provider>(of(provider.id), { policies: chosen });
        setHosts((saved.policies.return_hosts ?? []).join("\n"));
        setWarnings(warningsText(saved.policies.warning_seconds));
        onSaved(saved);
      }}
    >
      <Radios
        label="Users who end early pay"
        value={settlement}
        onChoose={setSettlement}
        options={[
          ["full", "The whole price", "Simple, and what most apps sell: an hour is an hour."],
          ["prorated", "What was used", "By the second, rounded up to a whole token."],
        ]}
      />
      <Tick label="Users may pause the clock" on={pausing} onTick={setPausing} />
      {pausing && (
        <div className="pair">
          <Field label="How often" type="number" value={pauses} onInput={setPauses} />
          <Field label="Minutes in all" type="number" value={minutes} onInput={setMinutes} />
        </div>
      )}
      <div className="pair">
        <Field
          label="Warn, in minutes before the end"
          value={warnings}
          onInput={setWarnings}
          placeholder="5, 1"
          hint="Empty: 5, 1. Short sessions leave out what is above half of them."
        />
        <Field
          label="Wait for a user, in minutes"
          type="number"
          value={wait}
          onInput={setWait}
          hint="For sessions whose clock starts on entry. After that they are canceled."
        />
      </div>
      {admin ? (
        <Field
          label="Return hosts"
          lines={2}
          value={hosts}
          onInput={setHosts}
          hint="The marketplace's hosts, where users go at the end. One a line."
        />
      ) : null}
      <div className="effects" data-testid="effects" aria-live="polite">
        <h3>Summary</h3>
        {problem ? (
          <p className="hint">{problem}</p>
        ) : (
          <ul>
            {policySummary(chosen).map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        )}
      </div>
    </Saving>
  );
}
