import { nameOf } from "./checks";
import type { Checks, PageReport, Provider } from "./types";

export const steps = [
  { id: "app", name: "Name and domain" },
  { id: "origin", name: "Your app's server" },
  { id: "dns", name: "DNS" },
  { id: "page", name: "First gated page" },
  { id: "webhooks", name: "Webhooks" },
] as const;
export type StepId = (typeof steps)[number]["id"];

/** What is known of a provider: kept by the service, so that one can leave and come back. */
export interface Known {
  provider: Provider;
  /** What was looked at just now, if it was. */
  checks: Checks | undefined;
  pages: PageReport[];
  webhooks: number;
}

/** Which steps are done. DNS is, once the name was seen to resolve, or visitors came through it. */
export function done({ provider, checks, pages, webhooks }: Known): Record<StepId, boolean> {
  const came = pages.length > 0;
  const grade = (name: string) => checks?.checks.find((check) => nameOf(check) === name)?.grade;
  const reachable = grade("gate") === "ok";
  return {
    app: !!provider.name && provider.domains.length > 0,
    origin: !!provider.origin_url,
    dns: came || grade("dns") === "ok" || reachable,
    page: pages.some((page) => page.injected),
    webhooks: webhooks > 0,
  };
}

/** Where to go on: the first step that is not done; the last when all are. */
export function nextStep(known: Record<StepId, boolean>): StepId {
  return (steps.find(({ id }) => !known[id]) ?? steps[steps.length - 1])?.id as StepId;
}
