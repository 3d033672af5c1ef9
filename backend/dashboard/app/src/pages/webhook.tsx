import { useState } from "react";
import { get, of, patch, post, remove } from "../api";
import { exactly, length } from "../format";
import { type Loaded, useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Select } from "../parts/form";
import { Badge, Panel, Problem, Show, Title } from "../parts/states";
import { webhookState } from "../policies";
import { go, Link, ROOT, useViewer } from "../router";
import type { Provider, Secret, TestResult, Webhook } from "../types";
import { Deliveries } from "./deliveries";
import { eventTypes, SecretDialog } from "./webhooks";

type Asking = "" | "rotate" | "off" | "delete";

/** A webhook: its state, test, secret and deliveries. */
export function WebhookPage({ provider, id }: { provider: Provider; id: string }) {
  const path = of(provider.id, `/webhooks/${encodeURIComponent(id)}`);
  const hook = useLoad(path, (signal) => get<Webhook>(path, signal));
  const [turn, setTurn] = useState(0);
  const { reading } = useViewer();
  return (
    <>
      <Title text="Webhook" aside={<Link to="/webhooks">All webhooks</Link>}>
        <span className="wrap">{hook.data?.url}</span>
      </Title>
      <Show of={hook} missing="There is no such webhook. It may have been deleted.">
        {(webhook) => (
          <>
            <State path={path} webhook={webhook} hook={hook} />
            {webhook.enabled && !reading && <Test webhook={webhook} onTested={() => setTurn((n) => n + 1)} />}
            <Deliveries path={path} turn={turn} replays={webhook.enabled && !reading} />
          </>
        )}
      </Show>
    </>
  );
}

function State({ path, webhook, hook }: { path: string; webhook: Webhook; hook: Loaded<Webhook> }) {
  const { reading } = useViewer();
  const [asking, ask] = useState<Asking>("");
  const [secret, setSecret] = useState<Secret>();
  const [overlap, setOverlap] = useState("86400");
  const { busy, error, run, clear } = useAction();
  const { name, tone, why } = webhookState(webhook);
  const close = () => {
    ask("");
    clear();
  };
  const turn = (enabled: boolean) =>
    run(async () => {
      hook.set(await patch<Webhook>(path, { enabled }));
      ask("");
    });
  const shared = { busy, error, onClose: close };
  return (
    <Panel
      id="state"
      title="This webhook"
      aside={
        !reading && (
          <>
            {webhook.enabled ? (
              <button type="button" onClick={() => ask("off")}>
                Turn off
              </button>
            ) : (
              <button type="button" className="primary" disabled={busy} onClick={() => turn(true)}>
                Turn on
              </button>
            )}
            <button type="button" onClick={() => ask("rotate")}>
              New secret
            </button>
            <button type="button" className="danger-quiet" onClick={() => ask("delete")}>
              Delete
            </button>
          </>
        )
      }
    >
      {error && !asking && <Problem text={error} />}
      <dl className="facts">
        <div>
          <dt>State</dt>
          <dd>
            <Badge tone={tone}>{name}</Badge>
          </dd>
        </div>
        <div>
          <dt>Wants</dt>
          <dd>{webhook.events.length ? webhook.events.join(", ") : "Everything"}</dd>
        </div>
        <div>
          <dt>Added</dt>
          <dd>{exactly(webhook.created_at * 1000)}</dd>
        </div>
        {webhook.description && (
          <div>
            <dt>Note</dt>
            <dd>{webhook.description}</dd>
          </div>
        )}
      </dl>
      {why && <p className="muted">{why}</p>}
      {asking === "off" && (
        <FormDialog title="Turn this webhook off?" submit="Turn off" onSubmit={() => turn(false)} {...shared}>
          <p>
            Nothing is sent to it until you turn it on again. What waits to be sent now is given up; you can
            replay it later.
          </p>
        </FormDialog>
      )}
      {asking === "rotate" && (
        <FormDialog
          title="Create a new secret?"
          submit="Create"
          onSubmit={() =>
            run(async () => {
              setSecret(await post<Secret>(`${path}/rotate-secret`, { overlap_seconds: Number(overlap) }));
              ask("");
            })
          }
          {...shared}
        >
          <p>Calls are signed with the new secret from now on, and with the old one, too, for a while.</p>
          <Select
            label="The old one signs for"
            value={overlap}
            onChoose={setOverlap}
            options={[
              ["0", "No longer: it is known to others"],
              ["3600", "1 hour"],
              ["86400", "1 day"],
              ["604800", "7 days"],
            ]}
          />
        </FormDialog>
      )}
      {asking === "delete" && (
        <FormDialog
          title="Delete this webhook?"
          submit="Delete"
          danger
          onSubmit={() =>
            run(async () => {
              await remove(path);
              go(`${ROOT}/webhooks`);
            })
          }
          {...shared}
        >
          <p className="wrap">
            {webhook.url} is not called any more, and the log of its deliveries goes with it. This can't be
            undone.
          </p>
        </FormDialog>
      )}
      {secret && <SecretDialog secret={secret} onClose={() => setSecret(undefined)} />}
    </Panel>
  );
}

const testTypes = [
  ["webhook.test", "A test message"],
  ...eventTypes.filter(([type]) => type.startsWith("session.")),
] as [string, string][];

function Test({ webhook, onTested }: { webhook: Webhook; onTested: () => void }) {
  const [type, setType] = useState("webhook.test");
  const [result, setResult] = useState<TestResult>();
  const { busy, error, run } = useAction();
  return (
    <Panel
      id="test"
      title="Try it"
      note="Sends one message with made-up data, now, and shows what your server answers."
    >
      <form
        className="inline"
        onSubmit={(event: Event) => {
          event.preventDefault();
          run(async () => {
            setResult(await post<TestResult>("/api/v1/webhooks/test", { webhook_id: webhook.id, type }));
            onTested();
          });
        }}
      >
        <Select
          label="Message"
          value={type}
          onChoose={setType}
          options={testTypes.map(
            ([one, name]) => [one, one === "webhook.test" ? name : `${name} (${one})`] as const,
          )}
        />
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Waiting for the response…" : "Send"}
        </button>
      </form>
      {error && <Problem text={error} />}
      <div role="status">
        {result && (
          <div className={`notice ${result.delivered ? "good" : "danger"}`} data-testid="test-result">
            <p>
              <span className="strong">
                {result.delivered ? "It arrived." : "It did not arrive."}{" "}
                {result.attempt.status ? `Your server answered ${result.attempt.status}` : "No answer came"}
              </span>{" "}
              after{" "}
              {result.attempt.took_ms < 1000
                ? `${result.attempt.took_ms} ms`
                : length(result.attempt.took_ms / 1000)}
              .
            </p>
            {result.attempt.response && <pre className="code">{result.attempt.response}</pre>}
          </div>
        )}
      </div>
    </Panel>
  );
}
