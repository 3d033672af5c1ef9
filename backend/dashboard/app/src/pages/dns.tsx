import { get, of } from "../api";
import { useLoad } from "../load";
import { CopyText } from "../parts/copy";
import { Badge, Empty, Panel, Show } from "../parts/states";
import { Link } from "../router";
import type { Checks, Dns, DomainRecords, Provider } from "../types";
import { CheckPanel } from "./health";

interface DnsStepProps {
  provider: Provider;
  onChecked: (checks: Checks) => void;
  ok: boolean;
}

/** The DNS records that point each domain at the gate, and whether they are in place. */
export function DnsStep({ provider, onChecked, ok }: DnsStepProps) {
  const path = of(provider.id, "/dns");
  // Loaded again when the domains change.
  const dns = useLoad(`${path} ${provider.domains.join()}`, (signal) => get<Dns>(path, signal));
  return (
    <>
      <Panel
        title="Point your domain at the gate"
        id="step-dns"
        aside={ok && <Badge tone="good">Done</Badge>}
      >
        <Show of={dns} missing="This session service does not know where the gate is. Ask your marketplace.">
          {(known) =>
            !provider.domains.length ? (
              <Empty title="No domain yet">
                <Link to="/setup/app">Name your app's domain first</Link>.
              </Empty>
            ) : known.edge_hosts.length ? (
              <>
                {known.domains.some((one) => one.records.length > 0) && (
                  <p>
                    At the company that manages your domain's DNS, set{" "}
                    {known.domains.length > 1 ? "these records" : "this record"}, and remove others of the
                    same name and type:
                  </p>
                )}
                {known.domains.map((one) => (
                  <Records key={one.domain} of={one} titled={known.domains.length > 1} />
                ))}
                {known.domains.some((one) => one.records.length > 0) && (
                  <p className="muted">
                    Changes take from a minute to a day. The certificate for your domain comes by itself after
                    that.
                  </p>
                )}
              </>
            ) : (
              <Unnamed provider={provider} />
            )
          }
        </Show>
      </Panel>
      <CheckPanel provider={provider} onChecked={onChecked} />
    </>
  );
}

/** The records of a domain, with copy buttons. */
function Records({ of: one, titled }: { of: DomainRecords; titled: boolean }) {
  const { domain, zone, label, records, alias, note } = one;
  return (
    <section className="records" aria-label={`Records of ${domain}`} data-domain={domain}>
      {titled && <h3 className="wrap">{domain}</h3>}
      {records.map(({ type, name, value }) => (
        <dl key={type + value} className="record">
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
      ))}
      {records.length > 0 && (
        <p className="muted wrap">
          Where the form adds <span className="mono">.{zone}</span> by itself, the name is{" "}
          <span className="mono">{label}</span>.
        </p>
      )}
      {alias && (
        <p className="muted wrap">
          If your DNS company has ALIAS, ANAME or “CNAME flattening”, point that at{" "}
          <CopyText text={alias} what={`alias ${alias}`} /> instead: it follows when the gate moves.
        </p>
      )}
      {note && <p className="wrap">{note}</p>}
    </section>
  );
}

/** General instructions, for when the operator did not configure where the gate is. */
function Unnamed({ provider }: { provider: Provider }) {
  const name = provider.domains.find((domain) => !/^[\d.]+$|:/.test(domain));
  if (!name) return <p>Your domain is an address: it has no DNS record, and needs none.</p>;
  return (
    <>
      <p>At the company where you registered your domain, set this record:</p>
      <dl className="facts">
        <div>
          <dt>Type</dt>
          <dd className="mono">CNAME</dd>
        </div>
        <div>
          <dt>Name</dt>
          <dd className="mono wrap">{name}</dd>
        </div>
        <div>
          <dt>Value</dt>
          <dd className="wrap">the gate's host name, which your marketplace told you</dd>
        </div>
      </dl>
      <p className="muted">
        If you were told numbers instead of a name, choose A (203.0.113.7) or AAAA (2001:db8::7). Changes take
        from a minute to a day. The certificate for your domain comes by itself after that.
      </p>
    </>
  );
}
