import { get, search } from "../api";
import { ago, count, exactly, number } from "../format";
import { useInterval, useLoad } from "../load";
import { Badge, Empty, Panel, Show, Time, Title } from "../parts/states";
import { Pager, Table } from "../parts/table";
import { go, useRoute, withQuery } from "../router";
import type { Edge } from "../types";

const PAGE = 50;
const REFRESH_MS = 10_000;
/** An edge reports every few seconds. After this long without a report, it counts as offline. */
const SILENT_MS = 60_000;
/** The event stream sends something every two seconds. -1: nothing was ever received. */
const LATE_MS = 6_000;

export function Edges() {
  const cursor = useRoute().query.get("after") ?? undefined;
  const path = `/api/v1/edges${search({ cursor, limit: PAGE })}`;
  const list = useLoad(path, (signal) => get<{ edges: Edge[]; next_cursor?: string }>(path, signal));
  useInterval(REFRESH_MS, list.reload);
  const state = ({ last_seen_at, stream_lag_ms }: Edge) =>
    Date.now() - last_seen_at * 1000 > SILENT_MS
      ? { name: "Silent", tone: "danger" }
      : stream_lag_ms > LATE_MS || stream_lag_ms < 0
        ? { name: "Behind", tone: "warn" }
        : { name: "Connected", tone: "good" };
  return (
    <>
      <Title text="Edges">Edges that reported within the last hour.</Title>
      <Panel
        id="edges"
        title={
          !list.data || cursor || list.data.next_cursor ? "Edges" : count(list.data.edges.length, "edge")
        }
      >
        <Show of={list} missing="This session service does not list its edges yet.">
          {({ edges, next_cursor }) =>
            edges.length ? (
              <>
                <Table
                  label="Edges"
                  rows={edges}
                  id={(one) => one.id}
                  busy={list.busy}
                  columns={[
                    {
                      name: "Edge",
                      show: ({ id, addresses }) => (
                        <div className="row-link">
                          <span className="strong wrap">{id}</span>
                          {addresses?.length ? (
                            <span className="muted wrap">{addresses.join(", ")}</span>
                          ) : null}
                        </div>
                      ),
                    },
                    {
                      name: "State",
                      show: (one) => <Badge tone={state(one).tone}>{state(one).name}</Badge>,
                    },
                    { name: "Version", show: ({ version }) => version || "unknown" },
                    { name: "Live", number: true, show: ({ live_sessions }) => number(live_sessions) },
                    {
                      name: "Stream lag",
                      number: true,
                      show: ({ stream_lag_ms }) =>
                        stream_lag_ms < 0 ? "never" : `${number(stream_lag_ms)} ms ago`,
                    },
                    {
                      name: "Seen",
                      show: ({ last_seen_at: at }) => (
                        <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
                      ),
                    },
                    {
                      name: "Up since",
                      wide: true,
                      show: ({ started_at: at }) => (
                        <Time ms={at * 1000} show={ago(at * 1000)} title={exactly(at * 1000)} />
                      ),
                    },
                  ]}
                />
                <Pager
                  newer={!!cursor}
                  older={!!next_cursor}
                  busy={list.busy}
                  onNewer={() => history.back()}
                  onOlder={() => go(withQuery({ after: next_cursor }))}
                />
              </>
            ) : (
              <Empty title="No edges connected">
                Start one with a key of the role edge: sessiongate apikey create --role edge.
              </Empty>
            )
          }
        </Show>
      </Panel>
    </>
  );
}
