import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { type NameServer, serveNames } from "./nameserver.ts";
import { type Service, serve } from "./service.ts";

// The set-up names the DNS records that prove a domain, to copy them, looks for them, and says what it found instead.

let service: Service;
let names: NameServer;
test.beforeAll(async () => {
  names = await serveNames();
  names.set("*.edge.example.com", "A", "203.0.113.7");
  service = await serve("--edge-host", "edge.example.com,203.0.113.7", "--edge-host", "2001:db8::7", "--dns-resolver", names.address, "--webhooks-to-loopback");
});
test.afterAll(async () => {
  await service?.stop();
  await names?.stop();
});

/** Registers a provider whose domains nobody vouches for, and returns its key. */
async function register(id: string, ...domains: string[]): Promise<string> {
  await service.call("POST", "/api/v1/providers", { id, name: "Notes", domains, vouch: false, origin_url: "https://origin.notes.example" });
  return service.key("provider", id);
}

const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());
const records = (page: Page, domain: string) => page.locator(`[data-domain="${domain}"]`);

test("a domain's record is copied, set and found", async ({ page, context }, info) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: service.api });
  const key = await register("prov_notes", "app.notes.example", "notes.example", "localhost");
  await signIn(page, service, key, "/dashboard/setup");
  const problems = watch(page);
  await expect(page.getByRole("heading", { name: "Set up: DNS" })).toBeVisible();
  const sub = records(page, "app.notes.example");
  await expect(sub).toHaveAttribute("data-state", "pending");
  await expect(sub.locator("> .record")).toHaveCount(1);
  await expect(sub).toContainText("Where the form adds .notes.example by itself, the name is app.");
  const target = (await sub.locator("> .record dd").nth(2).locator(".mono").innerText()).trim();
  expect(target).toMatch(/^[a-z2-7]{26}\.edge\.example\.com$/);
  const token = target.split(".")[0] ?? "";
  const apex = records(page, "notes.example");
  await expect(apex.locator("> .record")).toHaveCount(3);
  await expect(apex).toContainText("203.0.113.7");
  await expect(apex).toContainText("2001:db8::7");
  await expect(apex).toContainText("_sessiongate.notes.example");
  await expect(apex).toContainText("CNAME flattening");
  await expect(records(page, "localhost")).toContainText("needs no proof");

  for (const [button, text] of [
    ["type CNAME of app.notes.example", "CNAME"],
    ["name app.notes.example", "app.notes.example"],
    [`value ${target} of app.notes.example`, target],
  ] as const) {
    await sub.getByRole("button", { name: `Copy ${button}` }).focus();
    // It is said for 3 s: somebody looks for it before it comes.
    const copied = sub.getByRole("status").filter({ hasText: "Copied" });
    await Promise.all([copied.waitFor({ state: "attached" }), page.keyboard.press("Enter")]);
    expect(await clipboard(page)).toBe(text);
    await expect(copied).toHaveCount(0);
  }
  await look(page, info, "dns");

  // The record without the token, as people copy it from elsewhere.
  const check = page.getByRole("button", { name: "Check DNS now" });
  names.set("app.notes.example", "CNAME", "edge.example.com");
  await check.click();
  await expect(sub).toContainText("found: CNAME edge.example.com");
  await expect(sub).toHaveAttribute("data-state", "pending");
  await expect(page.getByText("2 of 3 not proven yet.")).toBeVisible();
  await expect(page.locator("[data-step=dns]")).toHaveAttribute("data-done", "false");
  await look(page, info, "dns-checked");

  names.set("app.notes.example", "CNAME", target);
  const text = (await apex.locator("> .record").nth(2).locator("dd").nth(2).locator(".mono").innerText()).trim();
  expect(text).not.toBe(token);
  names.set("notes.example", "A", "203.0.113.7");
  names.set("_sessiongate.notes.example", "TXT", text);
  await check.click();
  await expect(sub).toHaveAttribute("data-state", "proven");
  await expect(apex).toHaveAttribute("data-state", "proven");
  await expect(sub).toContainText("The record is in place.");
  await expect(page.locator("[data-step=dns]")).toHaveAttribute("data-done", "true");
  await look(page, info, "dns-proven");

  // The settings say the same.
  await page.goto(`${service.api}/dashboard/settings`);
  await expect(page.getByTestId("domain-states").locator("[data-state=proven]")).toHaveCount(2);
  await look(page, info, "domains");

  // Where no domain is named yet, there is nothing to set.
  await service.call("PATCH", "/api/v1/providers/prov_notes", { domains: [] });
  await page.goto(`${service.api}/dashboard/setup/dns`);
  await expect(page.getByTestId("step-dns")).toContainText("No domain yet");
  await look(page, info, "dns-empty");
  expect(problems).toEqual([]);
});

test("the service looks for a record by itself", async ({ page }) => {
  const key = await register("prov_patient", "app.patient.example");
  await signIn(page, service, key, "/dashboard/setup/dns");
  const sub = records(page, "app.patient.example");
  await expect(sub).toHaveAttribute("data-state", "pending");
  const { domains } = await service.call<{ domains: { records: { value: string }[] }[] }>("GET", "/api/v1/providers/prov_patient/dns");
  names.set("app.patient.example", "CNAME", domains[0]?.records[0]?.value ?? "");
  await expect(sub).toHaveAttribute("data-state", "proven", { timeout: 180_000 });
});

test("an administrator vouches for a domain", async ({ page }, info) => {
  await register("prov_vouched", "app.vouched.example");
  await signIn(page, service, service.admin_key, "/dashboard/providers/prov_vouched/settings");
  const problems = watch(page);
  const one = page.getByTestId("domain-states").locator("[data-domain='app.vouched.example']");
  await expect(one).toHaveAttribute("data-state", "pending");
  await look(page, info, "vouch");
  await one.getByRole("button", { name: "Vouch for it" }).click();
  await expect(one).toHaveAttribute("data-state", "vouched");
  await one.getByRole("button", { name: "Require the record" }).click();
  await expect(one).toHaveAttribute("data-state", "pending");
  expect(problems).toEqual([]);
});

test("where a domain leads instead", async ({ page }) => {
  const key = await register("prov_astray", "app.astray.example");
  names.set("app.astray.example", "A", "127.0.0.1");
  await signIn(page, service, key, "/dashboard/setup/dns");
  await page.getByRole("button", { name: "Check now" }).click();
  const dns = page.locator("[data-check=dns]");
  await expect(dns).toContainText("app.astray.example points at 127.0.0.1, which is not the gate (203.0.113.7 and 2001:db8::7)");
  await expect(dns).toContainText("What to do: Set CNAME app.astray.example to ");
  await expect(page.locator("[data-check=ownership]")).toContainText("app.astray.example is pending: the gate does not serve it");
  await expect(page.locator("[data-step=dns]")).toHaveAttribute("data-done", "false");
});

test("what no page may copy is selected instead", async ({ page }) => {
  const key = await register("prov_copied", "app.copied.example");
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await signIn(page, service, key, "/dashboard/setup/dns");
  await page.getByRole("button", { name: "Copy name app.copied.example" }).click();
  await expect(page.getByTestId("step-dns")).toContainText("Press Ctrl+C to copy");
  expect(await page.evaluate(() => getSelection()?.toString())).toBe("app.copied.example");
});

test("where the operator named no edge, a text proves the domain", async ({ page }, info) => {
  const silent = await serve();
  try {
    await silent.call("POST", "/api/v1/providers", { id: "prov_notes", name: "Notes", domains: ["app.notes.example"], vouch: false });
    await signIn(page, silent, silent.key("provider", "prov_notes"), "/dashboard/setup/dns");
    const step = page.getByTestId("step-dns");
    await expect(step).toContainText("_sessiongate.app.notes.example");
    await expect(step).toContainText("your marketplace knows the gate's host name");
    await look(page, info, "dns-unnamed");
  } finally {
    await silent.stop();
  }
});
