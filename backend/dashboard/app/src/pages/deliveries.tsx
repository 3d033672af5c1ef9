import { useEffect, useState } from "react";
import { get, of, post, search } from "../api";
import { ago, count, exactly, moment, number, pretty } from "../format";
import { useAction, useLoad } from "../load";
import { FormDialog } from "../parts/dialog";
import { Field, Tick } from "../parts/form";
import { Badge, Empty, Panel, Problem, Show, Time, Title, tones } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { answered, tries } from "../policies";
import { go, Link, useRoute, useViewer, withQuery } from "../router";
import type { Delivery, DeliveryDetail, Provider } from "../types";

const PAGE = 25;
const names: Record<Delivery["status"], string> = {
  pending: "Waiting",
  delivered: "Arrived",
  failed: "Failed",
};

/** The deliveries of a webhook, newest first. */
export function Deliveries({ path, turn, replays }: { path: string; turn: number; replays: boolean }) {
  const { query } = useRoute();
  const status = query.get("status") ?? undefined;
  const cursor = query.get("after") ?? undefined;
  const at = `${path}/deliveries${search({ status, cursor, limit: PAGE })}`;
  const log = useLoad(at, (signal) => get<{ deliveries: Delivery[]; next_cursor?: string }>(at, signal));
  const [asking, ask] = useState(false);
  const [notice, setNotice] = useState("");
  const { reload } = log;
  useEffect(() => {
    if (turn) reload();
  }, [turn, reload]);
  return (
    <Panel
      id="deliveries"
      title="Deliveries"
      aside={
        <>
          <select
            aria-label="Which"
            onChange={(event: Event) =>
              go(withQuery({ status: (event.target as HTMLSelectElement).value, after: undefined }))
            }
          >
            <option value="">All</option>
            {Object.entries(names).map(([id, name]) => (
              <option key={id} value={id} selected={status === id}>
                {name}
              </option>
            ))}
          </select>
          <button type="button" className="small" onClick={reload}>
            Refresh
          </button>
          {replays && (
            <button type="button" className="small" onClick={() => ask(true)}>
              Replay a range
            </button>
          )}
        </>
      }
    >
      <p role="status" className={notice ? "notice good" : "hidden"}>
        {notice}
      </p>
      <Show of={log}>
        {({ deliveries, next_cursor }) =>
          deliveries.length ? (
            <>
              <Table
                label="Deliveries"
                busy={log.busy}
                rows={deliveries}
                id={(one) => one.id}
                columns={[
                  {
                    name: "Message",
                    show: (one) => (
                      <Link to={`/webhooks/${one.webhook_id}/${one.id}`} className="row-link">
                        <span className="strong">{one.type}</span>
                        <span className="mono small-text">
                          {one.session_id ? `…${one.session_id.slice(-12)}` : "no session"}
                        </span>
                      </Link>
                    ),
                  },
                  {
                    name: "Made",
                    show: ({ created_at: made }) => (
                      <Time ms={made * 1000} show={moment(made * 1000)} title={exactly(made * 1000)} />
                    ),
                  },
                  {
                    name: "Status",
                    show: (one) => <Badge tone={tones[one.status]}>{names[one.status]}</Badge>,
                  },
                  { name: "Answer", show: (one) => answered(one.last_status, one.attempts) },
                  { name: "Attempts", number: true, show: (one) => number(one.attempts) },
                ]}
              />
              <Pager
                newer={!!cursor}
                older={!!next_cursor}
                busy={log.busy}
                onNewer={() => history.back()}
                onOlder={() => go(withQuery({ after: next_cursor }))}
                note={
                  count(deliveries.length, "delivery", "deliveries") +
                  (cursor || next_cursor ? " on this page" : "")
                }
              />
            </>
          ) : (
            <Empty title={status ? "No matching deliveries" : "No deliveries yet"}>
              {status
                ? "Choose another status."
                : replays
                  ? "Send a test, or wait for the first session."
                  : "The first session's events are here."}
            </Empty>
          )
        }
      </Show>
      {asking && (
        <Replay
          path={path}
          onClose={() => ask(false)}
          onDone={(n) => {
            ask(false);
            setNotice(
              n
                ? `${count(n, "delivery is", "deliveries are")} sent again.`
                : "There was nothing to send again in that time.",
            );
            reload();
          }}
        />
      )}
    </Panel>
  );
}

/** The value of a date-and-time field, in the browser's time zone. */
function local(ms: number): string {
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Replay({
  path,
  onClose,
  onDone,
}: {
  path: string;
  onClose: () => void;
  onDone: (n: number) => void;
}) {
  const [since, setSince] = useState(() => local(Date.now() - 86_400_000));
  const [until, setUntil] = useState("");
  const [onlyFailed, setOnlyFailed] = useState(true);
  const { busy, error, run } = useAction();
  return (
    <FormDialog
      title="Replay a range"
      submit="Send again"
      busy={busy}
      error={error}
      onClose={onClose}
      onSubmit={() =>
        run(async () => {
          const body = {
            since: Math.floor(Date.parse(since) / 1000),
            ...(until && { until: Math.floor(Date.parse(until) / 1000) }),
            only_failed: onlyFailed,
          };
          onDone((await post<{ replayed: number }>(`${path}/replay`, body)).replayed);
        })
      }
    >
      <p>
        Messages created in this time are sent again with the same ids, so that your server can tell what it
        knows already.
      </p>
      <Field label="From" type="datetime-local" required value={since} onInput={setSince} />
      <Field label="Until" type="datetime-local" value={until} onInput={setUntil} hint="Empty: now." />
      <Tick label="Only what failed" on={onlyFailed} onTick={setOnlyFailed} />
    </FormDialog>
  );
}

/** One delivery: its body, and the response to each attempt. */
export function DeliveryPage({ provider, webhook, id }: { provider: Provider; webhook: string; id: string }) {
  const { reading } = useViewer();
  const path = of(
    provider.id,
    `/webhooks/${encodeURIComponent(webhook)}/deliveries/${encodeURIComponent(id)}`,
  );
  const delivery = useLoad(path, (signal) => get<DeliveryDetail>(path, signal));
  const { busy, error, run } = useAction();
  return (
    <>
      <Title
        text="Delivery"
        aside={
          <>
            <Link to={`/webhooks/${webhook}`}>This webhook</Link>
            <button type="button" className="small" onClick={delivery.reload}>
              Refresh
            </button>
            {!reading && (
              <button
                type="button"
                className="primary"
                disabled={busy}
                onClick={() =>
                  run(async () => {
                    await post(`${path}/replay`);
                    delivery.reload();
                  })
                }
              >
                Send again
              </button>
            )}
          </>
        }
      >
        {delivery.data?.delivery.type}
      </Title>
      {error && <Problem text={error} />}
      <Show
        of={delivery}
        missing="There is no such delivery. They are deleted after a while, and with their webhook."
      >
        {({ delivery: one, payload, attempts }) => (
          <>
            <dl className="facts">
              <div>
                <dt>Status</dt>
                <dd>
                  <Badge tone={tones[one.status]}>{names[one.status]}</Badge>
                </dd>
              </div>
              <div>
                <dt>Made</dt>
                <dd>{exactly(one.created_at * 1000)}</dd>
              </div>
              {one.next_try_at ? (
                <div>
                  <dt>Next attempt</dt>
                  <dd>{ago(one.next_try_at * 1000)}</dd>
                </div>
              ) : null}
              <div>
                <dt>webhook-id</dt>
                <dd className="mono wrap">{one.message_id}</dd>
              </div>
              {one.session_id && (
                <div>
                  <dt>Session</dt>
                  <dd className="mono wrap">
                    <Link to={`/sessions/${one.session_id}`}>{one.session_id}</Link>
                  </dd>
                </div>
              )}
            </dl>
            <Panel title="Request body" note="The body, as it was signed.">
              <Code text={pretty(payload)} label="Body" />
            </Panel>
            <Panel
              id="attempts"
              title={attempts.length ? `Responses: ${tries(attempts.length)}` : "Responses"}
            >
              {attempts.length ? (
                <ol className="attempts">
                  {attempts.map((attempt) => (
                    <li key={attempt.attempt}>
                      <p>
                        <Badge tone={attempt.status >= 200 && attempt.status < 300 ? "good" : "danger"}>
                          {answered(attempt.status, 1)}
                        </Badge>{" "}
                        <span className="muted">
                          attempt {attempt.attempt}, {exactly(attempt.at * 1000)}, {number(attempt.took_ms)}{" "}
                          ms
                        </span>
                      </p>
                      {attempt.response && (
                        <Code
                          text={pretty(attempt.response)}
                          label={`Answer to attempt ${attempt.attempt}`}
                        />
                      )}
                    </li>
                  ))}
                </ol>
              ) : (
                <Empty title="Not tried yet" />
              )}
            </Panel>
          </>
        )}
      </Show>
    </>
  );
}

function Code({ text, label }: { text: string; label: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be focusable
    <section className="code" tabIndex={0} aria-label={label}>
      <pre>{text}</pre>
    </section>
  );
}
