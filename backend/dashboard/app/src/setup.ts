import { nameOf } from "./checks";
import type { Checks, DomainState, PageReport, Provider } from "./types";

export const steps = [
  { id: "app", name: "Name and domain" },
  { id: "origin", name: "Your app's server" },
  { id: "dns", name: "DNS" },
  { id: "page", name: "First gated page" },
  { id: "webhooks", name: "Webhooks" },
] as const;
export type StepId = (typeof steps)[number]["id"];

/** The state of the set-up. The service stores it, so that users can leave and return. */
export interface Known {
  provider: Provider;
  /** The result of the last check, if there was one. */
  checks: Checks | undefined;
  pages: PageReport[];
  webhooks: number;
}

/** Whether the gate serves a domain. */
export const served = (state: DomainState | undefined): boolean =>
  state === "proven" || state === "vouched" || state === "local";

/**
 * Which steps are done. DNS is done once every domain is served and one of them is proven,
 * resolves, or had a visitor.
 */
export function done({ provider, checks, pages, webhooks }: Known): Record<StepId, boolean> {
  const came = pages.length > 0;
  const grade = (name: string) => checks?.checks.find((check) => nameOf(check) === name)?.grade;
  const reachable = grade("gate") === "ok";
  const states = provider.domains.map((domain) => provider.domain_states[domain]);
  return {
    app: !!provider.name && provider.domains.length > 0,
    origin: !!provider.origin_url,
    dns: states.every(served) && (came || states.includes("proven") || grade("dns") === "ok" || reachable),
    page: pages.some((page) => page.injected),
    webhooks: webhooks > 0,
  };
}

/** The first step that is not done, or the last step. */
export function nextStep(known: Record<StepId, boolean>): StepId {
  return (steps.find(({ id }) => !known[id]) ?? steps[steps.length - 1])?.id as StepId;
}
