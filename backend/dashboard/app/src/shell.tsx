import { type ReactNode, useEffect, useState } from "react";
import { leave, onReach } from "./api";
import { clock } from "./format";
import { setTest, useTest } from "./mode";
import { guarded, Link } from "./router";
import type { Me } from "./types";

export interface NavItem {
  to: string;
  name: string;
  icon: keyof typeof icons;
}

const icons = {
  overview: "M4 13h6V4H4v9Zm0 7h6v-5H4v5Zm10 0h6v-9h-6v9Zm0-16v5h6V4h-6Z",
  sessions: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Zm-1 3h2v5l4 2-1 1.8-5-2.8V7Z",
  webhooks: "M4 5h16v11H9l-5 4V5Zm3 4v2h10V9H7Z",
  health: "M12 20s-8-4.6-8-10a4.4 4.4 0 0 1 8-2.6A4.4 4.4 0 0 1 20 10c0 5.4-8 10-8 10Z",
  settings: "M4 7h9v2H4V7Zm13 0h3v2h-3v2h-2V5h2v2ZM4 15h3v-2h2v6H7v-2H4v-2Zm7 0h9v2h-9v-2Z",
  setup: "M9.5 16.6 4.9 12l-1.4 1.4 6 6 11-11L19.1 7l-9.6 9.6Z",
  providers: "M4 9l2-5h12l2 5v2a3 3 0 0 1-1 2v7H5v-7a3 3 0 0 1-1-2V9Zm5 11h6v-5H9v5Z",
  edges: "M4 5h16v5H4V5Zm0 9h16v5H4v-5Zm2-7v1h2V7H6Zm0 9v1h2v-1H6Z",
  keys: "M14 4a6 6 0 0 0-5.7 8L4 16.3V20h4v-2h2v-2h2l1-1.1A6 6 0 1 0 14 4Zm1.5 6a1.5 1.5 0 1 1 0-3 1.5 1.5 0 0 1 0 3Z",
  people: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 8a8 6 0 0 1 16 0H4Z",
  audit: "M6 3h9l4 4v14H6V3Zm3 7v2h7v-2H9Zm0 4v2h7v-2H9Z",
};

interface ShellProps {
  me: Me;
  /** The provider's name. */
  name: string;
  places: NavItem[];
  current: string;
  /** Whether the pages can show test data. */
  testable?: boolean;
  children: ReactNode;
}

/** The frame of every page: navigation, account, and the connection notice. */
export function Shell({ me, name, places, current, testable = false, children }: ShellProps) {
  const test = useTest() && testable;
  return (
    <div className={test ? "shell test" : "shell"}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="side">
        <div className="brand">
          <svg viewBox="0 0 28 28" aria-hidden="true">
            <rect className="slot" x="3" y="3" width="22" height="22" rx="6" />
            <circle className="coin" cx="14" cy="14" r="6" />
          </svg>
          <span>
            <span className="strong">Sessiongate</span>
            <span className="muted wrap" data-testid="whose">
              {name}
            </span>
          </span>
        </div>
        {testable && (
          <label className="switch">
            <input
              type="checkbox"
              role="switch"
              checked={test}
              aria-checked={test}
              onChange={(event: Event) => {
                const box = event.target as HTMLInputElement;
                const on = box.checked;
                box.checked = test; // until the user agrees to lose what is not saved
                guarded(() => setTest(on));
              }}
            />
            Test data
          </label>
        )}
        <nav aria-label="Dashboard" className="nav">
          <ul>
            {places.map(({ to, name: place, icon }) => (
              <li key={to}>
                <Link to={to} current={to === current}>
                  <svg viewBox="0 0 24 24" aria-hidden="true">
                    <path d={icons[icon]} fillRule="evenodd" />
                  </svg>
                  {place}
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div className="who">
          <span className="muted wrap">{me.name || "Signed in with a key"}</span>
          <span className="who-links">
            {me.person && <a href={`/auth/?to=${encodeURIComponent("/dashboard/")}`}>Change role</a>}
            <a href="/docs">API</a>
            <form method="post" action="/auth/sign-out" onSubmit={leave}>
              <button type="submit" className="link">
                Sign out
              </button>
            </form>
          </span>
        </div>
      </header>
      <main id="main">
        <Offline />
        <div role="status">
          {test && (
            <p className="notice test-band" data-testid="test-band">
              <span>
                <span className="strong">Test data.</span> Sessions, figures and webhooks of test keys and
                passes. None of them is paid. Settings are the same for both.
              </span>
            </p>
          )}
        </div>
        {children}
      </main>
    </div>
  );
}

/** Shows a notice while the service does not respond, and how old the data may be. */
function Offline() {
  const [since, setSince] = useState<number>();
  useEffect(() => {
    const away = () => setSince((known) => known ?? Date.now());
    const stop = onReach((reachable) => (reachable ? setSince(undefined) : away()));
    addEventListener("offline", away);
    const back = () => setSince(undefined);
    addEventListener("online", back);
    return () => {
      stop();
      removeEventListener("offline", away);
      removeEventListener("online", back);
    };
  }, []);
  return (
    <div role="status">
      {since !== undefined && (
        <div className="notice warn" data-testid="offline">
          <p>
            No connection to the session service. The data shown are from {clock(since)} and update when the
            service responds again.
          </p>
        </div>
      )}
    </div>
  );
}
