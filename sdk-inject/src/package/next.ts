"use client";
/**
 * The Next.js binding, for the app router and the pages router. It exports client components,
 * which server components can import.
 *
 * @packageDocumentation
 */
export { MarketplaceProvider, type MarketplaceSession, useMarketplaceSession, useSession } from "./react";
