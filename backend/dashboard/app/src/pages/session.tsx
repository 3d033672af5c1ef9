import { type ReactNode, useEffect, useState } from "react";
import { get, search } from "../api";
import { clock, clockLength, count, date, exactly, length, moment, number, words } from "../format";
import { useLoad } from "../load";
import { Badge, Empty, Panel, Show, Time, Title, tones } from "../parts/states";
import { type Column, Table } from "../parts/table";
import { Link, useRoute, useViewer } from "../router";
import { describeEntry, kindNames, kindsOf, type TimelineItem } from "../timeline";
import type { Purchase, Session, Timeline, TimelineEntry } from "../types";
import { statusNames } from "./sessions";

/** A session: its properties and its timeline. */
export function SessionPage({ id, changes }: { id: string; changes: number }) {
  const path = `/api/v1/sessions/${encodeURIComponent(id)}${search({ mode: useRoute().query.get("mode") ?? undefined })}`;
  const session = useLoad(path, (signal) => get<Session>(path, signal));
  const { reading } = useViewer();
  const { reload } = session;
  useEffect(() => {
    if (changes) reload();
  }, [changes, reload]);
  return (
    <>
      <Title
        text="Session"
        aside={
          <>
            {reading && (
              <Link root to={`/operator/sessions/${id}`}>
                Revoke or refund
              </Link>
            )}
            <Link to="/sessions">All sessions</Link>
          </>
        }
      >
        <span className="mono wrap">{id}</span>
      </Title>
      <Show of={session} missing={`There is no session with this id${reading ? "" : " among yours"}.`}>
        {(one) => (
          <>
            <Facts session={one} />
            {one.purchases.length > 1 && <Purchases of={one} />}
          </>
        )}
      </Show>
      <TimelinePanel id={id} changes={changes} linked />
    </>
  );
}

function Facts({ session }: { session: Session }) {
  const { reading } = useViewer();
  const { status, settlement, extension } = session;
  const facts: [string, ReactNode][] = [
    [
      "Status",
      <Badge key="s" tone={tones[status]}>
        {statusNames[status] ?? status}
      </Badge>,
    ],
    [
      "User",
      <span key="u" className="wrap">
        {session.user_id}
      </span>,
    ],
    ["Sold", <Moment key="c" at={session.created_at} />],
    ["Length", length(session.duration_limit_seconds)],
    ["Set aside", count(session.tokens_allocated, "token")],
  ];
  if (session.entered_at) facts.push(["Entered", <Moment key="en" at={session.entered_at} />]);
  else facts.push(["Entered", unenteredText(session)]);
  if (session.started_at) facts.push(["Clock started", <Moment key="st" at={session.started_at} />]);
  if (session.ended_at) facts.push(["Ended", <Moment key="e" at={session.ended_at} />]);
  else if (session.expires_at) facts.push(["Ends", <Moment key="x" at={session.expires_at} />]);
  if (session.end_reason) facts.push(["Reason", words(session.end_reason)]);
  if (settlement) {
    facts.push(["Used", length(settlement.used_seconds)]);
    facts.push([reading ? "Earned" : "You earned", count(settlement.captured, "token")]);
    facts.push(["Given back", count(settlement.released, "token")]);
  }
  if (extension)
    facts.push(["Extensions", `${number(extension.used ?? 0)} of ${number(extension.max_count)} taken`]);
  return (
    <dl className="facts" data-testid="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What a session costs that nobody has entered, as it was sold. */
const unenteredText = ({ status, unentered }: Session): string =>
  ["pending", "active", "paused"].includes(status)
    ? unentered === "capture"
      ? "Not yet; charged like any other if nobody enters"
      : "Not yet; released if nobody enters"
    : unentered === "capture"
      ? "Never; charged like any other, as sold"
      : "Never; released, as sold";

const purchaseColumns: Column<Purchase>[] = [
  {
    name: "Bought",
    show: ({ kind, by, count: times }) =>
      `${kind === "sale" ? "Sale" : by === "user" ? "Extension by the user" : "Extension by the marketplace"}${times ? `, ${number(times)} times` : ""}`,
  },
  { name: "Length", number: true, show: ({ seconds }) => clockLength(seconds) },
  { name: "Price", number: true, show: ({ tokens }) => number(tokens) },
  { name: "Used", number: true, show: ({ used_seconds }) => orNone(used_seconds, clockLength) },
  { name: "Charged", number: true, show: ({ captured }) => orNone(captured, number) },
  { name: "Given back", number: true, show: ({ released }) => orNone(released, number) },
];

const orNone = (n: number | undefined, show: (n: number) => string): ReactNode =>
  n === undefined ? <span className="muted">–</span> : show(n);

/** What was bought. Each purchase is settled by itself, at its own price. */
function Purchases({ of: { purchases } }: { of: Session }) {
  const rows = purchases.map((one, i) => ({ ...one, id: String(i) }));
  return (
    <Panel id="purchases" title="Purchases">
      <Table label="Purchases" columns={purchaseColumns} rows={rows} id={(one) => one.id} />
    </Panel>
  );
}

const Moment = ({ at }: { at: number }) => (
  <Time ms={at * 1000} show={moment(at * 1000)} title={exactly(at * 1000)} />
);

/** The timeline of a session, oldest first. */
export function TimelinePanel({
  id,
  changes,
  linked = false,
}: {
  id: string;
  changes: number;
  linked?: boolean;
}) {
  const [kind, choose] = useState<TimelineEntry["kind"] | "">("");
  const mode = useRoute().query.get("mode") ?? undefined;
  const path = `/api/v1/sessions/${encodeURIComponent(id)}/timeline${search({ mode })}`;
  const timeline = useLoad(path, (signal) => get<Timeline>(path, signal));
  const { reload } = timeline;
  useEffect(() => {
    if (changes) reload();
  }, [changes, reload]);
  const entries = timeline.data?.entries ?? [];
  const kinds = kindsOf(entries);
  return (
    <Panel
      id="timeline"
      title="What happened"
      aside={
        <>
          {kinds.length > 1 && (
            <select
              aria-label="Show"
              onChange={(event: Event) => choose((event.target as HTMLSelectElement).value as typeof kind)}
            >
              <option value="">Everything</option>
              {kinds.map((one) => (
                <option key={one} value={one} selected={kind === one}>
                  {kindNames[one] ?? one}
                </option>
              ))}
            </select>
          )}
          <button type="button" className="small" onClick={reload}>
            Refresh
          </button>
        </>
      }
    >
      <Show of={timeline} rows={6} missing="This session service keeps no timeline of that session.">
        {(data) =>
          data.entries.length ? (
            <ol className="timeline">
              {data.entries
                .filter((one) => !kind || one.kind === kind)
                .map(describeEntry)
                .map((item, i) => (
                  <Entry key={i} item={item} linked={linked} />
                ))}
            </ol>
          ) : (
            <Empty title="No events yet" />
          )
        }
      </Show>
    </Panel>
  );
}

function Entry({ item, linked }: { item: TimelineItem; linked: boolean }) {
  const { at, kind, title, text, tone, delivery } = item;
  return (
    <li className={tone} data-kind={kind}>
      <Time ms={at} show={`${date(at)}, ${clock(at)}`} title={exactly(at)} />
      <div>
        <span className="strong">
          {delivery && linked ? (
            <Link to={`/webhooks/${delivery.webhook}/${delivery.id}`}>{title}</Link>
          ) : (
            title
          )}
        </span>
        {text && <span className="muted wrap">{text}</span>}
      </div>
    </li>
  );
}
