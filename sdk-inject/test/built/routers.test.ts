import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../browser/page";
import { until } from "../fake";
import { address, bundle, html, oneTimer, useApp, visit } from "./app";

// The launch token leaves the address, and no client-side router brings it back.

let browser: Browser;
let context: BrowserContext;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(() => context.close());

const it = useApp();

const vue = (history: string) => `
import { createApp, h } from "vue";
import { ${history}, createRouter, RouterLink, RouterView } from "vue-router";
import { useMarketplaceSession } from "@marketplace/provider-sdk/vue";
const Paid = { setup() {
  const { formattedTime, loading, error } = useMarketplaceSession({ apiEndpoint: window.API, redirect: false });
  return () => h("p", { id: "clock" }, error.value?.code ?? (loading.value ? "loading" : formattedTime.value));
} };
const router = createRouter({ history: ${history}(), routes: [
  { path: "/", component: Paid },
  { path: "/lazy", component: () => new Promise((resolve) => setTimeout(() => resolve(Paid), 300)) },
  { path: "/guarded", redirect: (to) => ({ path: "/", query: { ...to.query, from: "guard" } }) },
  { path: "/other", component: { render: () => h("p", { id: "other" }, "other") } },
] });
window.router = router;
createApp({ render: () => [
  h(RouterLink, { to: "/other", id: "lother" }, () => "other"),
  h(RouterLink, { to: "/", id: "lhome" }, () => "home"),
  h(RouterLink, { to: { hash: "#part" }, id: "lhash" }, () => "part"),
  h("button", { id: "filter", onClick: () => router.push({ query: { ...router.currentRoute.value.query, filter: "1" } }) }, "filter"),
  h(RouterView),
] }).use(router).mount("#app");`;

const react = `
import { createElement as h, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, Link, Outlet, useSearchParams } from "react-router";
import { RouterProvider } from "react-router/dom";
import { MarketplaceProvider, useSession } from "@marketplace/provider-sdk/react";
const config = { apiEndpoint: window.API, redirect: false };
function Clock() {
  const { loading, error, formattedTime } = useSession();
  return h("p", { id: "clock" }, error?.code ?? (loading ? "loading" : formattedTime));
}
function Paid() {
  const [, setParams] = useSearchParams();
  const add = () => setParams((before) => { before.set("filter", "1"); return before; });
  return h(MarketplaceProvider, { config }, h(Clock), h("button", { id: "filter", onClick: add }, "filter"));
}
const router = createBrowserRouter([{ path: "/", element: h("main", {}, h(Link, { to: "/", id: "lhome" }, "home"), h(Link, { to: "/other", id: "lother" }, "other"), h(Outlet)),
  children: [{ index: true, element: h(Paid) }, { path: "other", element: h("p", { id: "other" }, "other") }] }]);
createRoot(document.querySelector("#app")).render(h(StrictMode, {}, h(RouterProvider, { router })));`;

/** The service's address comes before the app's own script, as from a server. */
const page = (source: string) => `<script>window.API=${JSON.stringify(it.api)}</script>${html(source)}`;
const clockRuns = (text: string | null) => /^\d+:\d\d$/.test(text ?? "");

async function open(source: string, path = "/", more = "&keep=1") {
  it.pages["/app.js"] = await bundle(source);
  it.pages["*"] = page("/app.js");
  const made = await visit(context);
  const token = await it.enter(made, path, more);
  await until(async () => clockRuns(await made.textContent("#clock")), "the clock runs");
  await oneTimer(made);
  return { page: made, token };
}

test.each(["/", "/lazy", "/guarded"])(
  "vue-router, entered at %s: the token leaves the address and stays away",
  async (path) => {
    const { page } = await open(vue("createWebHistory"), path);
    const query = path === "/guarded" ? "?keep=1&from=guard" : "?keep=1";
    const home = (path === "/guarded" ? "/" : path) + query;
    expect(await address(page)).toBe(home);
    await page.click("#lhash");
    await until(async () => (await address(page)).endsWith("#part"));
    expect(await address(page)).not.toContain("session=");
    await page.click("#filter");
    await until(async () => (await address(page)).includes("filter=1"));
    expect(await address(page)).not.toContain("session=");
    await page.click("#lother");
    await page.waitForSelector("#other");
    await page.goBack();
    await until(async () => clockRuns(await page.textContent("#clock")), "the clock runs again");
    await oneTimer(page);
    expect(await address(page)).not.toContain("session=");
    for (let i = 0; i < 3; i++) await page.goBack().catch(() => {});
    expect(page.url()).not.toContain("eyJ");
    expect(page.errors).toEqual([]);
  },
);

test("vue-router with a hash: the token before the hash does not come back", async () => {
  const { page } = await open(vue("createWebHashHistory"));
  expect(await address(page)).toBe("/?keep=1#/");
  await page.click("#lother");
  await page.waitForSelector("#other");
  expect(await address(page)).toBe("/?keep=1#/other");
  await page.goBack();
  await until(async () => clockRuns(await page.textContent("#clock")), "the clock runs again");
  expect(await address(page)).toBe("/?keep=1#/");
});

test("react-router: setSearchParams keeps the page's parameters and not the token; a route left and entered again goes on", async () => {
  const { page } = await open(react);
  expect(await address(page)).toBe("/?keep=1");
  await page.click("#filter");
  await until(async () => (await address(page)).includes("filter=1"));
  expect(await address(page)).toBe("/?keep=1&filter=1");
  await page.click("#lother");
  await page.waitForSelector("#other");
  await until(async () => (await page.getByTestId("session-timer").count()) === 0, "the timer is gone");
  await page.click("#lhome");
  await until(async () => clockRuns(await page.textContent("#clock")), "the clock runs again");
  await oneTimer(page);
  expect(page.url()).not.toContain("session=");
  expect(page.errors).toEqual([]);
});

// A router that keeps the address as its own state and has wrapped the history, as Next.js does.
const wrapped = `
import { MarketplaceSDK } from "@marketplace/provider-sdk";
const plain = { push: history.pushState.bind(history), replace: history.replaceState.bind(history) };
let canonical = location.pathname + location.search;
const wrap = () => {
  history.pushState = (state, unused, url) => plain.push({ ...state, mine: true }, unused, url);
  history.replaceState = (state, unused, url) => plain.replace({ ...state, mine: true }, unused, url);
};
if (location.search.includes("early")) wrap();
window.refresh = () => history.replaceState({ mine: true }, "", canonical);
window.go = (url) => history.pushState({ mine: true }, "", url);
window.canonical = canonical;
window.sdk = new MarketplaceSDK({ apiEndpoint: window.API, redirect: false });
sdk.initialize().then(() => { document.body.dataset.open = "yes"; });
setTimeout(wrap);`;

test.each(["early", "late"])(
  "a router that wrapped the history %s and writes its first address again",
  async (when) => {
    it.pages["/app.js"] = await bundle(wrapped);
    it.pages["*"] = page("/app.js");
    const made = await visit(context);
    await it.enter(made, "/app/", `&when=${when}`);
    await made.waitForSelector("[data-open]");
    expect(await address(made)).toBe(`/app/?when=${when}`);
    await made.evaluate(() => Reflect.get(window, "refresh")());
    expect(await address(made)).toBe(`/app/?when=${when}`);
    expect(await made.evaluate(() => history.state)).toEqual({ mine: true });
    // Relative, and with the token alone: its query is gone, not that of the page before.
    await made.evaluate(() =>
      Reflect.get(window, "go")(`?${/session=[^&]+/.exec(Reflect.get(window, "canonical"))}`),
    );
    expect(await address(made)).toBe("/app/");
    await made.evaluate(() => Reflect.get(window, "go")("/next?a=1+2&b=%20;c&d=100%#top"));
    expect(await address(made)).toBe("/next?a=1+2&b=%20;c&d=100%#top");
    await made.goBack();
    await made.goBack();
    expect(await address(made)).toBe(`/app/?when=${when}`);
  },
);

test("an entry of the history that had the token before the SDK was loaded is cleaned when the user comes back to it", async () => {
  it.pages["/app.js"] = await bundle(`
import { MarketplaceSDK } from "@marketplace/provider-sdk";
history.pushState(null, "", "/second" + location.search);
const sdk = new MarketplaceSDK({ apiEndpoint: window.API, redirect: false });
sdk.initialize().then(() => { document.body.dataset.open = "yes"; });`);
  it.pages["*"] = page("/app.js");
  const made = await visit(context);
  await it.enter(made);
  await made.waitForSelector("[data-open]");
  expect(await address(made)).toBe("/second");
  await made.goBack();
  await until(async () => (await address(made)) === "/", "the first entry is clean");
});
