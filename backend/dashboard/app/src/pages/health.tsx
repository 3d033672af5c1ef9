import { useState } from "react";
import { ApiError, get, of, post } from "../api";
import { addressesOf, gradeOf, nameOf, outcomeOf, titleOf } from "../checks";
import { ago, exactly, number } from "../format";
import { useAction, useInterval, useLoad } from "../load";
import { Select } from "../parts/form";
import { Badge, Empty, Panel, Problem, Show, Time, Title } from "../parts/states";
import { Table } from "../parts/table";
import { useViewer } from "../router";
import type { Check, Checks, PageReports, Provider } from "../types";

const NO_CHECKS = "This session service can't check domains. Run: sessiongate doctor.";
const REFRESH_MS = 15_000;

/** Checks of the domain, and reports of the pages that visitors loaded. */
export function Health({ provider }: { provider: Provider }) {
  const { reading } = useViewer();
  return (
    <>
      <Title text="Health">
        Whether visitors reach {reading ? "the" : "your"} app, only those who paid come in, and each page
        shows the clock.
      </Title>
      <CheckPanel provider={provider} />
      <Pages providerId={provider.id} />
    </>
  );
}

/** Runs the domain checks. */
export function CheckPanel({
  provider,
  onChecked,
}: {
  provider: Provider;
  onChecked?: (checks: Checks) => void;
}) {
  const { reading } = useViewer();
  const urls = addressesOf(provider);
  const [chosen, setUrl] = useState("");
  // The chosen domain may have been removed.
  const url = urls.includes(chosen) ? chosen : (urls[0] ?? "");
  const [found, setFound] = useState<Checks>();
  const { busy, error, run } = useAction();
  const check = () =>
    run(async () => {
      const answer = await post<Checks>(of(provider.id, "/checks"), { url }).catch((cause) => {
        throw cause instanceof ApiError && cause.status === 404 ? new Error(NO_CHECKS) : cause;
      });
      setFound(answer);
      onChecked?.(answer);
    });
  return (
    <Panel
      id="checks"
      title={`${reading ? "The" : "Your"} domain, seen from outside`}
      note="Checks the domain as visitors, browsers and attackers see it. Takes up to 20 seconds."
      aside={
        <button type="button" className="primary" disabled={busy || !url} onClick={check}>
          {busy ? "Checking…" : found ? "Check again" : "Check now"}
        </button>
      }
    >
      {urls.length > 1 && (
        <Select
          label="Address"
          value={url}
          onChoose={setUrl}
          options={urls.map((one) => [one, one] as const)}
        />
      )}
      {!urls.length && <Empty title="No domain yet">Add the app's domain in the settings first.</Empty>}
      {error && <Problem text={error} retry={check} />}
      <div role="status">
        {found && (
          <>
            <p className="muted">
              {found.url}, {ago(found.at * 1000)}
            </p>
            <CheckList checks={found.checks} />
          </>
        )}
      </div>
    </Panel>
  );
}

/** The checks with their results and remedies. */
export function CheckList({ checks }: { checks: Check[] }) {
  return (
    <ul className="checks">
      {checks.map((check, i) => {
        const grade = gradeOf(check);
        return (
          <li
            key={`${nameOf(check)} ${i}`}
            data-check={nameOf(check)}
            data-grade={check.grade}
            className={grade.tone}
          >
            <div className="panel-head">
              <h3>{titleOf(check)}</h3>
              <Badge tone={grade.tone}>{grade.name}</Badge>
            </div>
            <p className="wrap">{check.found}</p>
            {check.remedy && (
              <p className="wrap">
                <span className="strong">What to do:</span> {check.remedy}
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The edges' reports of pages, newest first. */
export function Pages({ providerId }: { providerId: string }) {
  const path = of(providerId, "/pages");
  const reports = useLoad(path, (signal) => get<PageReports>(path, signal));
  const [only, setOnly] = useState<"all" | "without">("all");
  useInterval(REFRESH_MS, reports.reload);
  return (
    <Panel
      id="pages"
      title="Pages that visitors loaded"
      note="What the gate did with each. Ids in addresses are left out."
      aside={
        <select
          aria-label="Which pages"
          onChange={(event: Event) => setOnly((event.target as HTMLSelectElement).value as typeof only)}
        >
          <option value="all">All pages</option>
          <option value="without">Without the clock</option>
        </select>
      }
    >
      <Show of={reports} missing="This session service does not keep what edges report of pages.">
        {({ pages }) => {
          const shown = pages.filter((one) => only === "all" || !one.injected);
          return shown.length ? (
            <Table
              label="Pages"
              busy={reports.busy}
              rows={shown}
              id={({ host, path: at, outcome }) => `${host}${at} ${outcome}`}
              columns={[
                {
                  name: "Page",
                  show: (one) => (
                    <div className="row-link">
                      <span className="strong wrap">{one.path}</span>
                      <span className="muted wrap">{one.host}</span>
                    </div>
                  ),
                },
                {
                  name: "Clock",
                  show: (one) => (
                    <div className="row-link">
                      <Badge tone={one.injected ? "good" : "warn"}>{outcomeOf(one)}</Badge>
                      {one.remedy && <span className="remedy wrap">{one.remedy}</span>}
                    </div>
                  ),
                },
                { name: "Loaded", number: true, show: (one) => number(one.count) },
                {
                  name: "Last",
                  show: (one) => (
                    <Time
                      ms={one.last_at * 1000}
                      show={ago(one.last_at * 1000)}
                      title={exactly(one.last_at * 1000)}
                    />
                  ),
                },
              ]}
            />
          ) : pages.length ? (
            <Empty title="Every page shows the clock" />
          ) : (
            <Empty title="No page was loaded yet">
              Buy a session and open the app; its pages are here a few seconds later.
            </Empty>
          );
        }}
      </Show>
    </Panel>
  );
}
