import type { Provider } from "../types";

/** What a provider decides about its own site, with every default spelled out. */
export interface Site {
  open_paths: string[];
  inject: string;
  cookie: string;
  forward_identity: string;
  upload_grace_seconds: number;
  max_sessions: number;
  maintenance: { on: boolean; message: string; until: number };
  brand: { app_name: string; shop_url: string; support_url: string; logo_url: string; accent: string };
  clock: {
    position: string;
    hidden: boolean;
    collapsed: boolean;
    texts: Record<string, { warning?: string; ended?: string }>;
  };
}

export const DEFAULTS: Site = {
  open_paths: [],
  inject: "on",
  cookie: "lax",
  forward_identity: "headers",
  upload_grace_seconds: 0,
  max_sessions: 0,
  maintenance: { on: false, message: "", until: 0 },
  brand: { app_name: "", shop_url: "", support_url: "", logo_url: "", accent: "" },
  clock: { position: "bottom-right", hidden: false, collapsed: false, texts: {} },
};

/** A change of a site: fields that stay are left out, null resets one to its default. */
export type SiteChange = { [K in keyof Site]?: unknown };

/** The settings of a provider. */
export function siteOf(provider: Provider): Site {
  const site = (provider as { site?: Partial<Site> }).site ?? {};
  return {
    ...DEFAULTS,
    ...site,
    maintenance: { ...DEFAULTS.maintenance, ...site.maintenance },
    brand: { ...DEFAULTS.brand, ...site.brand },
    clock: { ...DEFAULTS.clock, ...site.clock, texts: site.clock?.texts ?? {} },
  };
}

const same = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** The value with the names of its objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || !value || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, one]) => [name, sorted(one)]),
  );
}

/** The request that turns one site into the other: what differs, and nothing else. */
export function changeOf(from: Site, to: Site): SiteChange {
  const change: Record<string, unknown> = {};
  for (const name of Object.keys(DEFAULTS) as (keyof Site)[]) {
    const [before, after] = [from[name], to[name]];
    if (same(before, after)) continue;
    if (name === "maintenance" || name === "brand" || name === "clock") {
      const fields = Object.entries(after).filter(
        ([field, value]) => !same(Reflect.get(before as object, field), value),
      );
      change[name] = Object.fromEntries(fields);
    } else change[name] = after;
  }
  return change;
}

/** The names of what a change sets, such as `brand.accent`. */
export const namesOf = (change: SiteChange): string[] =>
  Object.entries(change).flatMap(([name, value]) =>
    /^(maintenance|brand|clock)$/.test(name) && value
      ? Object.keys(value).map((field) => `${name}.${field}`)
      : [name],
  );

const titles: Record<string, string> = {
  open_paths: "Open paths",
  inject: "Clock in pages",
  cookie: "Cookie",
  forward_identity: "Identity",
  upload_grace_seconds: "Upload grace",
  max_sessions: "Sessions at once",
  maintenance: "Maintenance",
  "maintenance.on": "Maintenance",
  "maintenance.message": "Maintenance message",
  "maintenance.until": "Expected end of maintenance",
  brand: "Brand",
  "brand.app_name": "App name",
  "brand.shop_url": "Shop",
  "brand.support_url": "Support",
  "brand.logo_url": "Logo",
  "brand.accent": "Accent color",
  clock: "Clock",
  "clock.position": "Place of the clock",
  "clock.hidden": "Hidden clock",
  "clock.collapsed": "Collapsed clock",
  "clock.texts": "Texts of the clock",
};
/** The title of a setting, as the page has it. */
export const titleOf = (name: string): string => titles[name] ?? name;
