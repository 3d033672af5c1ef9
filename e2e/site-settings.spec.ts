import { expect, type Page, test } from "@playwright/test";
import { look, signIn, watch } from "./dashboard.ts";
import { type Service, serve } from "./service.ts";

// A provider's site settings, its passes and its test data, by the real service.

let service: Service;
let key: string;

test.beforeAll(async () => {
  service = await serve();
  await service.call("POST", "/api/v1/providers", {
    id: "prov_acme",
    name: "Acme Studio",
    domains: ["app.acme.localhost"],
    origin_url: "http://127.0.0.1:9",
    policies: { return_hosts: ["localhost"] },
  });
  key = service.key("provider", "prov_acme");
});

test.afterAll(() => service?.stop());

let problems: string[];
test.beforeEach(async ({ page }) => {
  await signIn(page, service, key);
  problems = watch(page);
});
test.afterEach(() => expect(problems).toEqual([]));

async function open(page: Page, path: string): Promise<void> {
  await page.goto(`${service.api}/dashboard/settings/${path}`);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
}

/** The frames of the preview, light and dark, once they show something. */
async function stages(page: Page) {
  await expect(page.locator("iframe[data-ready=true]")).toHaveCount(2);
  return ["light", "dark"].map((scheme) => page.frameLocator(`iframe[title="Preview, ${scheme}"]`));
}

test("the preview shows the clock, the warning, the end and the pages as the settings are typed", async ({ page }, info) => {
  await open(page, "site");
  const preview = page.getByTestId("preview");
  const [light, dark] = await stages(page);
  if (!light || !dark) throw new Error("no frames");
  for (const stage of [light, dark]) await expect(stage.getByTestId("session-timer")).toContainText("24:35");
  const background = (stage: typeof light) =>
    stage.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);
  expect(await background(light)).not.toBe(await background(dark));

  await preview.getByRole("button", { name: "Warning" }).click();
  await expect(light.getByTestId("session-warning")).toContainText("Your session ends soon");
  await preview.getByLabel("Language").selectOption("de");
  await expect(dark.getByTestId("session-warning")).not.toContainText("Your session ends soon");
  await preview.getByLabel("Language").selectOption("en");
  await preview.getByRole("button", { name: "End" }).click();
  await expect(light.getByTestId("session-ended")).toContainText("Your session has ended");
  // The frame takes no focus from the person who types.
  await page.getByLabel("App name").fill("Acme");
  await page.getByLabel("Message").fill("<b>Back soon</b>");
  await expect(page.getByLabel("Message")).toBeFocused();
  await preview.getByRole("button", { name: "No session" }).click();
  await expect(light.getByRole("heading", { level: 1, includeHidden: true })).toHaveText("This app requires a session");
  await preview.getByRole("button", { name: "Clock" }).click();
  for (const stage of [light, dark]) await expect(stage.getByTestId("session-timer")).toBeVisible();
  await page.evaluate(() => scrollTo(0, 0));
  await look(page, info, "site");
});

test("what is refused is said at its line, and nothing is lost without a question", async ({ page }, info) => {
  await open(page, "");
  await page.getByRole("link", { name: "Site", exact: true }).click();
  const paths = page.getByLabel("Open paths");
  const save = page.getByRole("button", { name: "Save", exact: true });
  await expect(save).toBeDisabled();
  await paths.fill("/robots.txt\n/*\nhooks/../app");
  await expect(paths).toHaveAccessibleDescription(/Line 2: This would open the whole app\./);
  await expect(paths).toHaveAccessibleDescription(/Line 3: Servers read this path in different ways/);
  await expect(save).toBeDisabled();
  await paths.fill("/robots.txt");
  await page.getByRole("button", { name: "+ Payment webhooks" }).click();
  await expect(paths).toHaveValue("/robots.txt\n/webhooks/*");
  await expect(save).toBeEnabled();
  await page.getByLabel("Sessions at once").fill("-1");
  await expect(page.getByLabel("Sessions at once")).toHaveAccessibleDescription(/Enter 0 to 1,000,000\./);
  await expect(save).toBeDisabled();
  await page.getByLabel("Sessions at once").fill("3");

  await page.getByLabel("Accent color", { exact: true }).fill("#ffe14d");
  await expect(page.getByTestId("contrast")).toContainText("readable (WCAG AA); shown as #");
  await page.getByLabel("Accent color", { exact: true }).fill("red");
  await expect(page.getByLabel("Accent color", { exact: true })).toHaveAccessibleDescription(/Enter a color such as/);
  await look(page, info, "site-refused");

  // By link, by the browser's way back, and by keyboard: the same question.
  const question = page.getByRole("dialog", { name: "Leave without saving?" });
  await page.getByRole("link", { name: "Passes" }).click();
  await expect(question).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(question).toBeHidden();
  await expect(page).toHaveURL(/settings\/site$/);
  await page.evaluate(() => history.back());
  await expect(question).toBeVisible();
  await expect(page).toHaveURL(/settings\/site$/);
  await question.getByRole("button", { name: "Stay" }).click();
  await expect(paths).toHaveValue("/robots.txt\n/webhooks/*");
  const testData = page.getByRole("switch", { name: "Test data" });
  await testData.click();
  await question.getByRole("button", { name: "Stay" }).click();
  await expect(testData).not.toBeChecked();
  await expect(paths).toHaveValue("/robots.txt\n/webhooks/*");
  await page.getByRole("link", { name: "Passes" }).click();
  await question.getByRole("button", { name: "Leave" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Settings: Passes");
  await page.getByRole("link", { name: "Site", exact: true }).click();
  await expect(paths).toHaveValue("");
  await expect(page.getByTestId("save-bar")).toContainText("No changes.");
});

test("settings are saved, undone and refused at their field", async ({ page }, info) => {
  await open(page, "site");
  const bar = page.getByTestId("save-bar");
  const site = async () => (await service.call<{ site: Record<string, unknown> }>("GET", "/api/v1/providers/prov_acme")).site;
  const before = await site();
  const sent: unknown[] = [];
  page.on("request", (request) => request.method() === "PATCH" && sent.push(request.postDataJSON()));
  await page.getByLabel("Open paths").fill("robots.txt\n/hooks/*");
  await page.getByLabel("App name").fill("Acme");
  await page.getByLabel("Close the app for maintenance").check();
  await page.getByLabel("Place").selectOption("top-left");
  await page.getByLabel("Add texts in a language").selectOption("de");
  await page.getByLabel("Warning in Deutsch").fill("Bitte speichern.");
  await page.keyboard.press("Enter");
  await expect(bar).toContainText("Saved.");
  expect(sent).toEqual([
    {
      site: {
        open_paths: ["/robots.txt", "/hooks/*"],
        maintenance: { on: true },
        brand: { app_name: "Acme" },
        clock: { position: "top-left", texts: { de: { warning: "Bitte speichern.", ended: "" } } },
      },
    },
  ]);
  expect(await site()).toMatchObject({ open_paths: ["/robots.txt", "/hooks/*"], brand: { app_name: "Acme" } });
  await expect(page.getByTestId("closed")).toBeVisible();
  await look(page, info, "site-saved");
  await bar.getByRole("button", { name: "Undo" }).click();
  await expect(bar).toContainText("Undone.");
  expect(await site()).toEqual(before);

  // The service knows more than the page.
  await page.getByLabel("Support").fill("https://user:secret@www.example.com/");
  await bar.getByRole("button", { name: "Save" }).click();
  await expect(page.getByLabel("Support")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Support")).toBeFocused();
  problems = problems.filter((one) => !/status of 422/.test(one));
});

test("passes: made, shown once, listed and revoked; and tried", async ({ page }, info) => {
  await open(page, "passes");
  await expect(page.getByText("No passes yet")).toBeVisible();
  await page.getByRole("button", { name: "Create a pass" }).click();
  const dialog = page.getByRole("dialog");
  await look(page, info, "pass-create");
  await dialog.getByLabel("Label").fill("QA team");
  await page.keyboard.press("Enter");
  const link = dialog.getByRole("textbox", { name: "Link of the pass" });
  await expect(link).toHaveValue(/\/auth\/pass#sg_pass_/);
  const secret = (await link.inputValue()).split("#")[1] ?? "";
  await look(page, info, "pass-made");
  await dialog.getByRole("button", { name: "Done" }).click();
  const row = page.getByTestId("passes").locator("tbody tr").filter({ hasText: "QA team" });
  await expect(row).toContainText("Staff");
  await page.reload();
  await expect(row).toContainText("never");
  expect(await page.content()).not.toContain(secret);

  await page.getByRole("button", { name: "Try it" }).click();
  const opened = page.getByTestId("try-it").getByRole("link", { name: "Open the app" });
  await expect(opened).toHaveAttribute("href", /\/auth\/pass#sg_pass_/);
  await expect(opened).toHaveAttribute("rel", "noreferrer");

  await row.getByRole("button", { name: "Revoke" }).click();
  await dialog.getByRole("button", { name: "Revoke" }).click();
  await expect(row).toContainText("Revoked");
  await expect(row.getByRole("button")).toHaveCount(0);
  await look(page, info, "passes");
});

test("test data: lists, figures and webhooks of test keys in place of live ones", async ({ page }, info) => {
  const { secret } = await service.call<{ secret: string }>("POST", "/api/v1/apikeys", { name: "shop", role: "marketplace", test: true });
  const sell = async (path: string, body: object) => {
    const answer = await fetch(service.api + path, {
      method: "POST",
      headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    expect(answer.status, await answer.clone().text()).toBeLessThan(300);
  };
  await sell("/api/v1/users/tess/tokens", { amount: 100 });
  await sell("/api/v1/sessions", {
    user_id: "tess",
    provider_id: "prov_acme",
    tokens_allocated: 10,
    duration_limit_seconds: 3600,
    return_url: "http://localhost/",
  });
  await page.goto(`${service.api}/dashboard/sessions`);
  await expect(page.getByText("No sessions yet")).toBeVisible();
  await page.getByRole("switch", { name: "Test data" }).check();
  await expect(page.getByTestId("test-band")).toContainText("None of them is paid");
  const sold = page.getByTestId("sessions").locator("tbody tr");
  await expect(sold).toHaveCount(1);
  await expect(sold).toContainText("tess");
  await look(page, info, "test-data");
  await sold.getByRole("link").click();
  await expect(page.getByTestId("timeline")).toContainText("Tokens set aside");
  await page.getByRole("link", { name: "Overview" }).click();
  await expect(page.getByTestId("latest")).toContainText("tess");
  await expect(page.getByTestId("connection")).toHaveText("Live");
  await page.reload();
  await expect(page.getByRole("switch", { name: "Test data" })).toBeChecked();
  await page.getByRole("switch", { name: "Test data" }).uncheck();
  await expect(page.getByTestId("test-band")).toBeHidden();
  await expect(page.getByTestId("latest")).toContainText("No sessions yet");
});
