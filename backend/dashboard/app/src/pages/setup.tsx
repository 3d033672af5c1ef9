import { type ReactNode, useEffect, useState } from "react";
import { get, of, patch } from "../api";
import { lines } from "../format";
import { useInterval, useLoad } from "../load";
import { Field } from "../parts/form";
import { Badge, Panel, Problem, Skeleton, Title } from "../parts/states";
import { go, Link, ROOT } from "../router";
import { done, nextStep, type StepId, steps } from "../setup";
import type { Checks, PageReports, Provider, Secret, Webhook } from "../types";
import { DnsStep } from "./dns";
import { CheckPanel, Pages } from "./health";
import { TryIt } from "./passes";
import { Saving } from "./settings";
import { AddWebhook, SecretDialog } from "./webhooks";

const REFRESH_MS = 5_000;

/** The set-up in five steps. The service knows which steps are done, so that users can leave and return. */
export function Setup({
  provider,
  step,
  onSaved,
}: {
  provider: Provider;
  step: string | undefined;
  onSaved: (p: Provider) => void;
}) {
  const [checks, setChecks] = useState<Checks>();
  const pages = useLoad(of(provider.id, "/pages"), (signal) =>
    get<PageReports>(of(provider.id, "/pages"), signal),
  );
  const hooks = useLoad(of(provider.id, "/webhooks"), (signal) =>
    get<{ webhooks: Webhook[] }>(of(provider.id, "/webhooks"), signal),
  );
  useInterval(REFRESH_MS, pages.reload);
  const known = done({
    provider,
    checks,
    pages: pages.data?.pages ?? [],
    webhooks: hooks.data?.webhooks.length ?? 0,
  });
  const chosen = steps.find(({ id }) => id === step)?.id;
  const at = chosen ?? nextStep(known);
  // Start at the first open step. After that, only the user changes the step.
  const ready = !chosen && (pages.data || pages.error) && (hooks.data || hooks.error);
  useEffect(() => {
    if (ready) go(`${ROOT}/setup/${at}`, "replace");
  }, [ready, at]);
  const index = steps.findIndex(({ id }) => id === at);
  const finished = Object.values(known).every(Boolean);
  const next = steps[index + 1];
  const forward = () => go(next ? `${ROOT}/setup/${next.id}` : ROOT);
  // Saving a step goes to the next one.
  const saved = (now: Provider) => {
    onSaved(now);
    forward();
  };
  const bodies: Record<StepId, ReactNode> = {
    app: <AppStep provider={provider} onSaved={saved} />,
    origin: <OriginStep provider={provider} onSaved={saved} />,
    dns: <DnsStep provider={provider} onChecked={setChecks} onSaved={onSaved} ok={known.dns} />,
    page: <PageStep provider={provider} onChecked={setChecks} ok={known.page} />,
    webhooks: (
      <WebhookStep provider={provider} count={hooks.data?.webhooks.length ?? 0} onAdded={hooks.reload} />
    ),
  };
  if (!chosen) return <Skeleton rows={6} />;
  return (
    <>
      <Title text={`Set up: ${steps[index]?.name}`}>
        Step {index + 1} of {steps.length}. You can leave at any time; saved steps are kept.
      </Title>
      {hooks.error && <Problem text={hooks.error.message} retry={hooks.reload} />}
      <ol className="steps">
        {steps.map(({ id, name }) => (
          <li key={id} data-step={id} data-done={known[id]}>
            <Link to={`/setup/${id}`} current={id === at}>
              <span className="step-mark" aria-hidden="true">
                {known[id] ? "✓" : steps.findIndex((one) => one.id === id) + 1}
              </span>
              <span>
                {name}
                <span className="hidden">{known[id] ? ", done" : ", to do"}</span>
              </span>
            </Link>
          </li>
        ))}
      </ol>
      <div key={at} className="stack">
        {bodies[at]}
      </div>
      <nav className="pager" aria-label="Steps">
        {index > 0 ? <Link to={`/setup/${steps[index - 1]?.id}`}>← Back</Link> : <span />}
        {finished && !next ? (
          <Link to="/" className="button primary">
            Finish
          </Link>
        ) : next ? (
          <Link to={`/setup/${next.id}`}>{known[at] ? "Next" : "Skip for now"} →</Link>
        ) : (
          <Link to="/">Finish later</Link>
        )}
      </nav>
    </>
  );
}

type StepProps = { provider: Provider; onSaved: (provider: Provider) => void };

function AppStep({ provider, onSaved }: StepProps) {
  const [name, setName] = useState(provider.name);
  const [domains, setDomains] = useState(provider.domains.join("\n"));
  return (
    <Saving
      id="step-app"
      title="About your app"
      button="Save and continue"
      save={async () => {
        const list = lines(domains);
        if (!list.length) throw new Error("Name at least one domain, such as app.example.com.");
        onSaved(await patch<Provider>(of(provider.id), { name, domains: list }));
      }}
    >
      <Field
        label="Name of your app"
        required
        max={200}
        value={name}
        onInput={setName}
        hint="As users read it in the marketplace."
      />
      <Field
        label="Domain"
        lines={2}
        required
        value={domains}
        onInput={setDomains}
        placeholder="app.example.com"
        hint="The address your users will see. Several: one a line, the main one first."
      />
    </Saving>
  );
}

function OriginStep({ provider, onSaved }: StepProps) {
  const [origin, setOrigin] = useState(provider.origin_url);
  return (
    <Saving
      id="step-origin"
      title="Where does your app run?"
      button="Save and continue"
      save={async () => {
        if (!origin.trim()) throw new Error("Give the address of your app's own server.");
        onSaved(await patch<Provider>(of(provider.id), { origin_url: origin.trim() }));
      }}
    >
      <Field
        label="Origin"
        type="url"
        required
        value={origin}
        onInput={setOrigin}
        placeholder="https://origin.example.com"
        hint="The server where your app runs today, without a path. Your app stays as it is: the gate stands before it."
      />
      <p className="muted">
        The operator of the gate uses it in the edge's configuration. Later, let your server answer the gate
        alone (“origin lock”); the health page tells you whether it does.
      </p>
    </Saving>
  );
}

interface CheckedStepProps {
  provider: Provider;
  onChecked: (checks: Checks) => void;
  ok: boolean;
}

function PageStep({ provider, onChecked, ok }: CheckedStepProps) {
  return (
    <>
      <Panel
        title="Open your app as a user does"
        id="step-page"
        aside={ok && <Badge tone="good">Done</Badge>}
      >
        <ol className="plain">
          <li>Check below that the gate responds at your domain and refuses requests without a session.</li>
          <li>Open your app with the button below. It lasts two minutes, and nothing is charged.</li>
          <li>The page you open shows the clock, and appears here a few seconds later.</li>
        </ol>
        <p role="status" className={ok ? "notice good" : "muted"}>
          {ok
            ? "A page with the clock was seen. Your app is gated."
            : "Waiting for the first page with a clock…"}
        </p>
      </Panel>
      <TryIt providerId={provider.id} />
      <CheckPanel provider={provider} onChecked={onChecked} />
      <Pages providerId={provider.id} />
    </>
  );
}

function WebhookStep({
  provider,
  count,
  onAdded,
}: {
  provider: Provider;
  count: number;
  onAdded: () => void;
}) {
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Secret>();
  return (
    <Panel
      id="step-webhooks"
      title="Get notified of events"
      aside={count > 0 && <Badge tone="good">Done</Badge>}
    >
      <p>
        Sessiongate can notify your server when a session starts, is extended, or ends: for invoices, clean-up
        or statistics. Webhooks are optional.
      </p>
      {count > 0 && (
        <p>
          You have {count}. <Link to="/webhooks">Test it, or change it</Link>.
        </p>
      )}
      <div className="actions">
        <button type="button" className={count ? "" : "primary"} onClick={() => setAdding(true)}>
          Add a webhook
        </button>
      </div>
      {adding && (
        <AddWebhook
          providerId={provider.id}
          onClose={() => setAdding(false)}
          onMade={(secret) => {
            setAdding(false);
            setMade(secret);
            onAdded();
          }}
        />
      )}
      {made && <SecretDialog secret={made} onClose={() => setMade(undefined)} />}
    </Panel>
  );
}
