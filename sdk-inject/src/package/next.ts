"use client";
/**
 * The Next.js binding, for the app router and the pages router. It exports client components,
 * which server components can import.
 *
 * @packageDocumentation
 */
export {
  AuthError,
  type CallOptions,
  MarketplaceProvider,
  type MarketplaceSession,
  NetworkError,
  SDKError,
  type SessionAction,
  SessionControls,
  type SessionControlsLabels,
  type SessionControlsProps,
  type SessionControlsState,
  useMarketplaceSession,
  useSession,
  ValidationError,
} from "./react";
