import { useCallback, useState } from "react";
import { ApiError, of, patch } from "../api";
import { Dialog } from "../parts/dialog";
import { Preview } from "../parts/preview";
import { Problem } from "../parts/states";
import { useGuard } from "../router";
import { AccessPanel, MaintenancePanel } from "../site/access";
import { BrandPanel, ClockPanel } from "../site/looks";
import { changeOf, namesOf, type Site, siteOf, titleOf } from "../site/model";
import { pathProblems } from "../site/paths";
import { errorsOf, problemsOf } from "../site/problems";
import type { Provider } from "../types";
import { SettingsHead } from "./tabs";

interface SitePageProps {
  provider: Provider;
  onSaved: (provider: Provider) => void;
}

/** What the provider decides about its own site, with a preview. */
export function SitePage({ provider, onSaved }: SitePageProps) {
  const saved = siteOf(provider);
  const [site, setSite] = useState(saved);
  const [before, setBefore] = useState<Site>();
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<{ fields: Record<string, string>; rest: string }>();
  const [status, setStatus] = useState("");
  const [leave, setLeave] = useState<() => void>();

  const change = changeOf(saved, site);
  const names = namesOf(change);
  const dirty = names.length > 0;
  const problems = problemsOf(site);
  const wrongPath = pathProblems(site.open_paths.join("\n"))[0];
  const locked = (provider as { site_overrides?: string[] }).site_overrides ?? [];

  useGuard(
    useCallback((go: () => void) => setLeave(() => go), []),
    dirty,
  );

  const set = (part: Partial<Site>) => {
    setSite((now) => ({ ...now, ...part }));
    setRefused(undefined);
    setStatus("");
  };

  /** Sends what differs between what the service has and what is wanted. */
  async function save(wanted: Site, said: string) {
    if (busy) return;
    setBusy(true);
    setStatus("");
    setRefused(undefined);
    const sent = changeOf(saved, wanted);
    try {
      const now = await patch<Provider>(of(provider.id), { site: sent });
      setBefore(saved);
      setSite(siteOf(now));
      onSaved(now);
      setStatus(said);
    } catch (error) {
      const known = error instanceof ApiError ? error : new ApiError(String(error), 0);
      setRefused(errorsOf(known, namesOf(sent)));
      // Once the fields say what is wrong.
      setTimeout(() => document.querySelector<HTMLElement>("[aria-invalid]")?.focus());
    } finally {
      setBusy(false);
    }
  }

  const form = { site, set, errors: { ...problems, ...refused?.fields }, locked };
  const blocked = Object.keys(problems).length > 0 || !!wrongPath;
  return (
    <>
      <SettingsHead at="site">
        How your app looks and behaves at the gate. Every edge acts on a change within seconds, without a
        restart.
      </SettingsHead>
      <div className="site">
        <form
          className="stack"
          noValidate
          onSubmit={(event: Event) => {
            event.preventDefault();
            if (dirty && !blocked) void save(site, "Saved.");
          }}
        >
          <MaintenanceNotice saved={saved} />
          <BrandPanel {...form} />
          <ClockPanel {...form} />
          <AccessPanel {...form} />
          <MaintenancePanel {...form} />
          {refused?.rest && <Problem text={refused.rest} />}
          <div className="save-bar" data-testid="save-bar">
            <p role="status">
              {status ||
                (dirty ? (
                  <>
                    <span className="strong">Not saved:</span> {[...new Set(names.map(titleOf))].join(", ")}
                  </>
                ) : (
                  <span className="muted">No changes.</span>
                ))}
            </p>
            <div className="actions">
              {dirty ? (
                <button type="button" onClick={() => set(saved)}>
                  Discard
                </button>
              ) : (
                before && (
                  <button type="button" disabled={busy} onClick={() => void save(before, "Undone.")}>
                    Undo
                  </button>
                )
              )}
              <button type="submit" className="primary" disabled={busy || !dirty || blocked}>
                {busy ? "Saving…" : "Save"}
              </button>
            </div>
          </div>
        </form>
        <Preview name={provider.name} site={site} />
      </div>
      {leave && (
        <Leave
          onStay={() => setLeave(undefined)}
          onLeave={() => {
            setLeave(undefined);
            leave();
          }}
        />
      )}
    </>
  );
}

function MaintenanceNotice({ saved }: { saved: Site }) {
  if (!saved.maintenance.on) return null;
  return (
    <p className="notice warn" data-testid="closed">
      The app is closed for maintenance. Clocks of paid sessions stand still until you open it again.
    </p>
  );
}

function Leave({ onStay, onLeave }: { onStay: () => void; onLeave: () => void }) {
  return (
    <Dialog title="Leave without saving?" onClose={onStay}>
      <div className="form">
        <p>Your changes to the site settings are not saved.</p>
        <div className="actions end">
          <button type="button" onClick={onLeave}>
            Leave
          </button>
          <button type="button" className="primary" onClick={onStay}>
            Stay
          </button>
        </div>
      </div>
    </Dialog>
  );
}
