import { useState } from "react";
import { get, of, post } from "../api";
import { date, exactly } from "../format";
import { useAction, useLoad } from "../load";
import { isTest } from "../mode";
import { Copy } from "../parts/copy";
import { Dialog, FormDialog } from "../parts/dialog";
import { Field, Tick } from "../parts/form";
import { Badge, Empty, Panel, Show, Time, Title } from "../parts/states";
import { Table } from "../parts/table";
import { webhookState } from "../policies";
import { go, Link, ROOT, useViewer } from "../router";
import type { Provider, Secret, Webhook } from "../types";

/** The events that a webhook can receive. */
export const eventTypes: [type: string, when: string][] = [
  ["session.started", "A session's clock starts"],
  ["session.warning", "It is about to end"],
  ["session.extended", "The user bought more time"],
  ["session.paused", "Its clock was paused"],
  ["session.resumed", "Its clock was resumed"],
  ["session.ended", "It ended and was settled"],
  ["webhook.disabled", "One of your webhooks was turned off"],
];

/** A provider's webhooks. */
export function Webhooks({ provider }: { provider: Provider }) {
  const path = of(provider.id, "/webhooks");
  const list = useLoad(path, (signal) => get<{ webhooks: Webhook[] }>(path, signal));
  const { reading } = useViewer();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<Secret>();
  return (
    <>
      <Title
        text="Webhooks"
        aside={
          !reading && (
            <button type="button" className="primary" onClick={() => setAdding(true)}>
              Add a webhook
            </button>
          )
        }
      >
        {reading
          ? "Signed HTTP requests to the provider's server. Only the provider can change webhooks and see their secrets."
          : "Sessiongate sends events to your server as signed HTTP requests, and retries failed ones."}
      </Title>
      <Panel id="webhooks" title="Endpoints">
        <Show of={list}>
          {({ webhooks }) =>
            webhooks.length ? (
              <Table
                label="Webhooks"
                rows={webhooks}
                id={(one) => one.id}
                columns={[
                  {
                    name: "URL",
                    show: ({ id, url, description }) => (
                      <Link to={`/webhooks/${id}`} className="row-link">
                        <span className="strong wrap">{url}</span>
                        {description && <span className="muted">{description}</span>}
                      </Link>
                    ),
                  },
                  {
                    name: "State",
                    show: (one) => {
                      const { name, tone, why } = webhookState(one);
                      return (
                        <Badge tone={tone}>
                          {name}
                          {why && <span className="hidden">. {why}</span>}
                        </Badge>
                      );
                    },
                  },
                  { name: "Wants", show: ({ events }) => (events.length ? events.join(", ") : "Everything") },
                  {
                    name: "Added",
                    show: ({ created_at }) => (
                      <Time
                        ms={created_at * 1000}
                        show={date(created_at * 1000)}
                        title={exactly(created_at * 1000)}
                      />
                    ),
                  },
                ]}
              />
            ) : (
              <Empty title="No webhooks yet">
                {reading
                  ? "The provider has no webhook."
                  : "Add the URL of your server. Each request is signed, so that your server can verify its source."}
              </Empty>
            )
          }
        </Show>
      </Panel>
      {adding && (
        <AddWebhook
          providerId={provider.id}
          onClose={() => setAdding(false)}
          onMade={(secret) => {
            setAdding(false);
            setMade(secret);
            list.reload();
          }}
        />
      )}
      {made && (
        <SecretDialog
          secret={made}
          onClose={() => {
            setMade(undefined);
            go(`${ROOT}/webhooks/${made.webhook.id}`);
          }}
        />
      )}
    </>
  );
}

interface AddProps {
  providerId: string;
  onClose: () => void;
  onMade: (secret: Secret) => void;
}

export function AddWebhook({ providerId, onClose, onMade }: AddProps) {
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const [events, setEvents] = useState<string[]>([]);
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Add a webhook"
      submit="Add it"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () =>
          onMade(
            await post<Secret>(of(providerId, "/webhooks", { mode: undefined }), {
              url: url.trim(),
              events,
              ...(isTest() && { mode: "test" }),
              ...(description && { description }),
            }),
          ),
        )
      }
    >
      <Field
        label="URL"
        type="url"
        required
        value={url}
        onInput={setUrl}
        placeholder="https://hooks.example.com/sessiongate"
        hint="It must respond with 2xx within 15 seconds. Failed deliveries are retried."
      />
      <Field
        label="Note"
        value={description}
        onInput={setDescription}
        max={200}
        hint="A note for yourself. Optional."
      />
      <fieldset className="ticks">
        <legend>Call when</legend>
        <p className="hint">If you choose none, all events are sent.</p>
        {eventTypes.map(([type, when]) => (
          <Tick
            key={type}
            label={when}
            hint={type}
            on={events.includes(type)}
            onTick={(on) => setEvents(on ? [...events, type] : events.filter((one) => one !== type))}
          />
        ))}
      </fieldset>
    </FormDialog>
  );
}

/** Shows a new secret, which cannot be shown again. */
export function SecretDialog({ secret, onClose }: { secret: Secret; onClose: () => void }) {
  return (
    <Dialog title="The signing secret" onClose={onClose}>
      <div className="form">
        <p>
          Your server uses it to verify that a request comes from Sessiongate.{" "}
          <span className="strong">It is shown only once</span>: copy it now. If you lose it, create a new
          one.
        </p>
        <Copy text={secret.secret} label="Signing secret" />
        {secret.old_secret_until ? (
          <p className="muted">
            The previous secret remains valid until {exactly(secret.old_secret_until * 1000)}. Update your
            server by then.
          </p>
        ) : null}
        <div className="actions end">
          <button type="button" className="primary" onClick={onClose}>
            Done
          </button>
        </div>
      </div>
    </Dialog>
  );
}
