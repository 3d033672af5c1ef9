import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { type Service, serve } from "./service.ts";

// The set-up names the DNS records to set, to copy them, and says where a domain leads instead.

let service: Service;
test.beforeAll(async () => {
  service = await serve("--edge-host", "edge.example.com,203.0.113.7", "--edge-host", "2001:db8::7", "--webhooks-to-loopback");
  await service.call("POST", "/api/v1/providers", {
    id: "prov_notes",
    name: "Notes",
    domains: ["app.notes.example", "notes.example", "localhost"],
    origin_url: "https://origin.notes.example",
  });
});
test.afterAll(() => service?.stop());

const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());

test("each domain's records, copied by keyboard, and where a domain leads instead", async ({ page, context }, info) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: service.api });
  await signIn(page, service, service.key("provider", "prov_notes"), "/dashboard/setup");
  const problems = watch(page);
  await expect(page.getByRole("heading", { name: "Set up: DNS" })).toBeVisible();
  const records = (domain: string) => page.locator(`[data-domain="${domain}"]`);
  const sub = records("app.notes.example");
  await expect(sub.locator(".record")).toHaveCount(1);
  await expect(sub).toContainText("CNAME");
  await expect(sub).toContainText("edge.example.com");
  await expect(sub).toContainText("Where the form adds .notes.example by itself, the name is app.");
  const apex = records("notes.example");
  await expect(apex.locator(".record")).toHaveCount(2);
  await expect(apex).toContainText("203.0.113.7");
  await expect(apex).toContainText("2001:db8::7");
  await expect(apex).toContainText("CNAME flattening");

  for (const [button, text] of [
    ["type CNAME of app.notes.example", "CNAME"],
    ["name app.notes.example", "app.notes.example"],
    ["value edge.example.com of app.notes.example", "edge.example.com"],
  ] as const) {
    await page.getByRole("button", { name: `Copy ${button}` }).focus();
    // It is said for 3 s: somebody looks for it before it comes.
    const copied = sub.getByRole("status").filter({ hasText: "Copied" });
    await Promise.all([copied.waitFor({ state: "attached" }), page.keyboard.press("Enter")]);
    expect(await clipboard(page)).toBe(text);
    await expect(copied).toHaveCount(0);
  }
  await look(page, info, "dns");

  await page.getByLabel("Address").selectOption("https://localhost/");
  await page.getByRole("button", { name: "Check now" }).click();
  const dns = page.locator("[data-check=dns]");
  await expect(dns).toContainText("localhost points at");
  await expect(dns).toContainText("which is not the gate (203.0.113.7 and 2001:db8::7)");
  await expect(dns).toContainText("What to do: Set A localhost to 203.0.113.7, and AAAA localhost to 2001:db8::7.");
  await expect(page.locator("[data-step=dns]")).toHaveAttribute("data-done", "false");
  await look(page, info, "dns-checked");

  // Where no domain is named yet, there is nothing to set.
  await service.call("PATCH", "/api/v1/providers/prov_notes", { domains: [] });
  await page.reload();
  await expect(page.getByTestId("step-dns")).toContainText("No domain yet");
  await look(page, info, "dns-empty");
  expect(problems).toEqual([]);
});

test("what no page may copy is selected instead", async ({ page }) => {
  await service.call("PATCH", "/api/v1/providers/prov_notes", { domains: ["app.notes.example"] });
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await signIn(page, service, service.key("provider", "prov_notes"), "/dashboard/setup/dns");
  await page.getByRole("button", { name: "Copy value edge.example.com" }).click();
  await expect(page.getByTestId("step-dns")).toContainText("Press Ctrl+C to copy");
  expect(await page.evaluate(() => getSelection()?.toString())).toBe("edge.example.com");
});

test("where the operator named no edge, one is told whom to ask", async ({ page }, info) => {
  const silent = await serve();
  try {
    await silent.call("POST", "/api/v1/providers", { id: "prov_notes", name: "Notes", domains: ["app.notes.example"], origin_url: "https://origin.notes.example" });
    await signIn(page, silent, silent.key("provider", "prov_notes"), "/dashboard/setup");
    const step = page.getByTestId("step-dns");
    await expect(step).toContainText("the gate's host name, which your marketplace told you");
    await expect(step).toContainText("app.notes.example");
    await look(page, info, "dns-unnamed");
  } finally {
    await silent.stop();
  }
});
