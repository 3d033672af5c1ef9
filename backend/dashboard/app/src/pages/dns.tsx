import { useState } from "react";
import { get, of, post, remove } from "../api";
import { ago, exactly } from "../format";
import { useAction, useInterval, useLoad } from "../load";
import { CopyText } from "../parts/copy";
import { Badge, Empty, Panel, Problem, Show, Time, tones } from "../parts/states";
import { Link, useViewer } from "../router";
import { served } from "../setup";
import type { Checks, Dns, DnsRecord, DomainRecords, DomainState, Provider } from "../types";
import { CheckPanel } from "./health";

const REFRESH_MS = 10_000;
const MISSING = "This session service does not know where the gate is. Ask your marketplace.";

interface DnsStepProps {
  provider: Provider;
  onChecked: (checks: Checks) => void;
  onSaved: (provider: Provider) => void;
  ok: boolean;
}

/** The DNS records that prove each domain and point it at the gate, and whether they are in place. */
export function DnsStep({ provider, onChecked, onSaved, ok }: DnsStepProps) {
  return (
    <>
      <Domains provider={provider} onSaved={onSaved} ok={ok} />
      <CheckPanel provider={provider} onChecked={onChecked} />
    </>
  );
}

/** Each domain's state, the records that prove it, and a button that looks for them. */
function Domains({ provider, onSaved, ok }: Omit<DnsStepProps, "onChecked">) {
  const path = of(provider.id, "/dns");
  // Loaded again when the domains change.
  const dns = useLoad(`${path} ${provider.domains.join()}`, (signal) => get<Dns>(path, signal));
  const { busy, error, run } = useAction();
  const [said, say] = useState("");
  // The service also checks by itself.
  useInterval(REFRESH_MS, dns.reload);
  const changed = dns.data?.domains.some(({ domain, state }) => provider.domain_states[domain] !== state);
  useInterval(changed ? 1_000 : REFRESH_MS, () => {
    if (changed) void get<Provider>(of(provider.id)).then(onSaved, () => undefined);
  });
  const check = () =>
    run(async () => {
      say("");
      const found = await post<Dns>(`${path}/checks`);
      dns.set(found);
      onSaved(await get<Provider>(of(provider.id)));
      const open = found.domains.filter(({ state }) => !served(state)).length;
      say(open ? `${open} of ${found.domains.length} not proven yet.` : "Every domain is ready.");
    });
  const records = dns.data?.domains.some((one) => one.records.length > 0);
  return (
    <Panel
      title="Prove your domain and point it at the gate"
      id="step-dns"
      aside={
        ok ? (
          <Badge tone="good">Done</Badge>
        ) : (
          records && (
            <button type="button" className="primary" disabled={busy} onClick={check}>
              {busy ? "Checking DNS…" : "Check DNS now"}
            </button>
          )
        )
      }
    >
      <Show of={dns} missing={MISSING}>
        {(known) =>
          !provider.domains.length ? (
            <Empty title="No domain yet">
              <Link to="/setup/app">Name your app's domain first</Link>.
            </Empty>
          ) : (
            <>
              {records && (
                <p>
                  At the company that manages your domain's DNS, set{" "}
                  {known.domains.length > 1 ? "these records" : "this record"}, and remove others of the same
                  name and type. The gate serves a domain once it has seen its record.
                </p>
              )}
              <p role="status" className={said ? "notice" : "hidden"}>
                {said}
              </p>
              {error && <Problem text={error} />}
              {known.domains.map((one) => (
                <Records key={one.domain} of={one} />
              ))}
              {records && (
                <p className="muted">
                  Most changes take a few minutes. The service looks by itself, more rarely as time passes.
                  The certificate for your domain comes by itself after that.
                </p>
              )}
            </>
          )
        }
      </Show>
    </Panel>
  );
}

const stateNames: Record<DomainState, string> = {
  pending: "Pending",
  proven: "Proven",
  suspended: "Suspended",
  vouched: "Vouched for",
  local: "Loopback",
};

/** What a state means for the domain. */
function meaning(one: DomainRecords): string {
  switch (one.state) {
    case "proven":
      return one.missing_since
        ? "The record is missing. If it stays away for a day, the gate stops serving this domain."
        : "The record is in place.";
    case "suspended":
      return "The record was gone for a day, so the gate stopped serving this domain. Set it again.";
    case "vouched":
      return "An administrator vouches for this domain, so it needs no record as proof.";
    case "local":
      return "";
    default:
      return "The record was not seen yet.";
  }
}

/** A domain's state and its records, with copy buttons. */
function Records({ of: one }: { of: DomainRecords }) {
  const { domain, zone, label, records, alias, text, note } = one;
  const hidden = text && !records.some(({ type }) => type === "TXT");
  return (
    <section
      className="records"
      aria-label={`Records of ${domain}`}
      data-domain={domain}
      data-state={one.state}
    >
      <div className="panel-head">
        <h3 className="wrap">{domain}</h3>
        <Badge tone={tones[one.state]}>{stateNames[one.state]}</Badge>
      </div>
      <Seen of={one} />
      {records.map((record) => (
        <RecordFields key={record.type + record.value} record={record} domain={domain} />
      ))}
      {records.length > 0 && (
        <p className="muted wrap">
          Where the form adds <span className="mono">.{zone}</span> by itself, the name is{" "}
          <span className="mono">{label}</span>
          {records.some(({ type }) => type === "TXT") && (
            <>
              , and <span className="mono">_sessiongate{label === "@" ? "" : `.${label}`}</span> for TXT
            </>
          )}
          .
        </p>
      )}
      {alias && (
        <p className="muted wrap">
          If your DNS company has ALIAS, ANAME or “CNAME flattening”, point that at{" "}
          <CopyText text={alias} what={`alias ${alias}`} /> instead of the addresses: it follows when the gate
          moves.
        </p>
      )}
      {hidden && (
        <details>
          <summary>The CNAME is hidden by a proxy or CDN?</summary>
          <p className="muted">Then this record proves the domain:</p>
          <RecordFields record={text} domain={domain} />
        </details>
      )}
      {note && <p className="wrap">{note}</p>}
    </section>
  );
}

/** What the last check of DNS saw, and when. */
function Seen({ of: one }: { of: DomainRecords }) {
  const says = meaning(one);
  if (!says) return null;
  return (
    <p className="wrap">
      {says}{" "}
      {one.checked_at > 0 && (
        <span className="muted">
          Last checked{" "}
          <Time
            ms={one.checked_at * 1000}
            show={ago(one.checked_at * 1000)}
            title={exactly(one.checked_at * 1000)}
          />
          {one.found && (
            <>
              ; found: <span className="mono">{one.found}</span>
            </>
          )}
          .
        </span>
      )}
    </p>
  );
}

function RecordFields({ record: { type, name, value }, domain }: { record: DnsRecord; domain: string }) {
  return (
    <dl className="record">
      <div>
        <dt>Type</dt>
        <dd>
          <CopyText text={type} what={`type ${type} of ${domain}`} />
        </dd>
      </div>
      <div>
        <dt>Name</dt>
        <dd>
          <CopyText text={name} what={`name ${name}`} />
        </dd>
      </div>
      <div>
        <dt>Value</dt>
        <dd>
          <CopyText text={value} what={`value ${value} of ${domain}`} />
        </dd>
      </div>
    </dl>
  );
}

/** The state of each domain, with an administrator's word where the viewer can give it. */
export function DomainStates({ provider, onSaved }: { provider: Provider; onSaved: (p: Provider) => void }) {
  const { reading } = useViewer();
  const { busy, error, run } = useAction();
  if (!provider.domains.length) return null;
  const vouch = (domain: string, word: boolean) =>
    run(async () => {
      const path = of(provider.id, `/domains/${encodeURIComponent(domain)}/vouch`);
      await (word ? post(path) : remove(path));
      onSaved(await get<Provider>(of(provider.id)));
    });
  return (
    <Panel
      id="domains"
      title="Domains"
      note="The gate serves a domain once a DNS record proves it, or an administrator vouches for it."
      aside={!reading && <Link to="/setup/dns">DNS records</Link>}
    >
      {error && <Problem text={error} />}
      <ul className="plain" data-testid="domain-states">
        {provider.domains.map((domain) => {
          const state = provider.domain_states[domain] ?? "pending";
          return (
            <li key={domain} className="panel-head" data-domain={domain} data-state={state}>
              <span className="mono wrap">{domain}</span>
              <span className="actions">
                <Badge tone={tones[state]}>{stateNames[state]}</Badge>
                {reading && (state === "vouched" || !served(state)) && (
                  <button
                    type="button"
                    className="small"
                    disabled={busy}
                    onClick={() => vouch(domain, state !== "vouched")}
                  >
                    {state === "vouched" ? "Require the record" : "Vouch for it"}
                    <span className="hidden"> {domain}</span>
                  </button>
                )}
              </span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
