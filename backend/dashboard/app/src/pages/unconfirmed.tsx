import { get, of, post } from "../api";
import { ago, exactly } from "../format";
import { useAction, useLoad } from "../load";
import { Problem, Time } from "../parts/states";
import { Link, useViewer } from "../router";
import type { GuestChanges } from "../types";

const settings: Record<string, string> = {
  domains: "Domains",
  origin_url: "Origin",
  app_url: "Start page",
  policies: "Policies",
};

/** What people with a sign-in link set, until the provider confirms it. Shows nothing if there is none. */
export function Unconfirmed({ providerId }: { providerId: string }) {
  const { me, reading } = useViewer();
  const path = of(providerId, "/guest-changes");
  const list = useLoad(path, (signal) => get<GuestChanges>(path, signal));
  const { busy, error, run } = useAction();
  const changes = list.data?.changes ?? [];
  if (changes.length === 0) return null;
  const confirm = (items: string[]) =>
    run(async () => {
      await post<void>(`${path}/confirm`, { items });
      list.reload();
    });
  const mayConfirm = !me.guest && !reading;
  return (
    <section className="notice warn" aria-label="Set with a sign-in link" data-testid="unconfirmed">
      <div>
        <p className="strong">Set with a sign-in link</p>
        <p>
          Somebody who had a sign-in link set these. They decide where your users and messages go.{" "}
          {mayConfirm ? "Check each, then confirm it, or change it." : "The provider has not confirmed them."}
        </p>
        <ul>
          {changes.map(({ item, webhook_id, at }) => (
            <li key={item} data-item={item}>
              {webhook_id ? (
                <Link to={`/webhooks/${webhook_id}`}>Webhook {webhook_id}</Link>
              ) : (
                <Link to="/settings">{settings[item] ?? item}</Link>
              )}
              , <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
            </li>
          ))}
        </ul>
        {error && <Problem text={error} />}
      </div>
      {mayConfirm && (
        <button
          type="button"
          className="small"
          disabled={busy}
          onClick={() => confirm(changes.map(({ item }) => item))}
        >
          {busy ? "Confirming…" : "Confirm all"}
        </button>
      )}
    </section>
  );
}
