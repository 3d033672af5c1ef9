"use client";
/**
 * The session in Next.js, app router and pages router: client components, safe to
 * import from server components.
 *
 * @packageDocumentation
 */
export { MarketplaceProvider, type MarketplaceSession, useMarketplaceSession, useSession } from "./react";
