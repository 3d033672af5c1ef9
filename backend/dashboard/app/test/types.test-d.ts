// Compiles, or `npm run check` fails: src/types.ts declares what the service answers, no field
// more or less. A Go test holds answers.ts to the service.
import type * as Mine from "../src/types";
import type { Answers } from "./answers";

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];

/** Whether M declares what T is: the same fields, as optional as there, of the same types. Where the
 *  service says no more than `string`, M may name the strings. */
type Declares<M, T> = unknown extends T
  ? true
  : [T] extends [string]
    ? string extends T
      ? Equal<[M] extends [string] ? true : false, true>
      : Equal<M, T>
    : [T] extends [(infer U)[]]
      ? [M] extends [(infer V)[]]
        ? Declares<V, U>
        : false
      : [T] extends [object]
        ? Equal<[keyof M, OptionalKeys<M>], [keyof T, OptionalKeys<T>]> extends true
          ? false extends { [K in keyof T]-?: Declares<Required<M>[K & keyof M], Required<T>[K]> }[keyof T]
            ? false
            : true
          : false
        : Equal<M, T>;

type Item<T> = T extends (infer U)[] ? U : never;
type Of<Path extends keyof Answers> = Answers[Path];
const holds = <_ extends true>() => {};

holds<Declares<Mine.Me, Of<"GET /api/v1/me">>>();
holds<Declares<Mine.Provider, Of<"GET /api/v1/providers/{id}">>>();
holds<Declares<Mine.Session, Of<"GET /api/v1/sessions/{id}">>>();
holds<Declares<Mine.SessionPage, Of<"GET /api/v1/providers/{id}/sessions">>>();
holds<Declares<Mine.Timeline, Of<"GET /api/v1/sessions/{id}/timeline">>>();
holds<Declares<Mine.SessionStats, Of<"GET /api/v1/providers/{id}/stats">>>();
holds<Declares<Mine.GuestChanges, Of<"GET /api/v1/providers/{id}/guest-changes">>>();
holds<Declares<Mine.Webhook, Of<"GET /api/v1/providers/{id}/webhooks/{wid}">>>();
holds<Declares<Mine.Secret, Of<"POST /api/v1/providers/{id}/webhooks">>>();
holds<
  Declares<Mine.Delivery, Item<Of<"GET /api/v1/providers/{id}/webhooks/{wid}/deliveries">["deliveries"]>>
>();
holds<Declares<Mine.DeliveryDetail, Of<"GET /api/v1/providers/{id}/webhooks/{wid}/deliveries/{did}">>>();
holds<Declares<Mine.TestResult, Of<"POST /api/v1/webhooks/test">>>();
holds<Declares<Mine.PageReports, Of<"GET /api/v1/providers/{id}/pages">>>();
holds<Declares<Mine.Checks, Of<"POST /api/v1/providers/{id}/checks">>>();
holds<Declares<Mine.Dns, Of<"GET /api/v1/providers/{id}/dns">>>();
holds<Declares<Mine.Edge, Item<Of<"GET /api/v1/edges">["edges"]>>>();
holds<Declares<Mine.SigningKey, Item<Of<"GET /api/v1/keys/signing">["keys"]>>>();
holds<Declares<Mine.ApiKey, Item<Of<"GET /api/v1/apikeys">["keys"]>>>();
holds<Declares<Mine.MadeKey, Of<"POST /api/v1/apikeys">>>();
holds<Declares<Mine.Pass, Item<Of<"GET /api/v1/providers/{id}/passes">["passes"]>>>();
holds<Declares<Mine.MadePass, Of<"POST /api/v1/providers/{id}/passes">>>();
holds<Declares<Mine.Person, Item<Of<"GET /api/v1/people">["people"]>>>();
holds<Declares<Mine.AuditEntry, Item<Of<"GET /api/v1/audit">["entries"]>>>();
holds<Declares<Mine.PortalLink, Of<"POST /api/v1/portal">>>();

type Analysis<Kind extends "sessions" | "revenue" | "users"> =
  Of<`GET /api/v1/providers/{id}/analytics/${Kind}`>;
/** A day's figures; the sum of the days has no date. */
type Figures<Kind extends "sessions" | "revenue" | "users"> = Omit<Analysis<Kind>["total"], "date">;
holds<Declares<Omit<Mine.Analysis<never>, "days" | "total">, Omit<Analysis<"sessions">, "days" | "total">>>();
holds<Declares<Mine.SessionDay & { extensions: number }, Figures<"sessions">>>();
holds<Declares<Mine.RevenueDay, Figures<"revenue">>>();
holds<Declares<Mine.UserDay, Figures<"users">>>();
