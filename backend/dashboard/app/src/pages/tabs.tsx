import type { ReactNode } from "react";
import { Title } from "../parts/states";
import { Link, useViewer } from "../router";

const tabs = [
  ["", "App"],
  ["site", "Site"],
  ["passes", "Passes"],
] as const;
export type SettingsTab = (typeof tabs)[number][0];

/** The heading of a page of the settings, and the way to the others. */
export function SettingsHead({ at, children }: { at: SettingsTab; children: ReactNode }) {
  const { reading } = useViewer();
  const name = tabs.find(([tab]) => tab === at)?.[1];
  return (
    <>
      <Title
        text={at ? `Settings: ${name}` : "Settings"}
        aside={!reading && <Link to="/setup">Set-up, step by step</Link>}
      >
        {children}
      </Title>
      <nav aria-label="Settings">
        <ul className="tabs">
          {tabs.map(([tab, title]) => (
            <li key={tab}>
              <Link to={tab ? `/settings/${tab}` : "/settings"} current={tab === at}>
                {title}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
    </>
  );
}
