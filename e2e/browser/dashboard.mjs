// Drives Debian's Chromium through the dashboard of a running system: from signing in to a delivery that is sent again, in
// light and dark, wide and narrow, with and without JavaScript. Each page must be accessible, write nothing to the console
// and fetch nothing from elsewhere. Screenshots are kept.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { BASE, SINK, EMAIL, PASSWORD, TOOLS, CHROMIUM, SHOTS } = process.env;
const require = createRequire(`${TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(SHOTS, { recursive: true });

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
const complaints = [];

async function open(options) {
  // The checker is put into the page, which the page's policy forbids: the policy itself is tested by what it lets run.
  const context = await browser.newContext({ baseURL: BASE, viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`); });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on("request", (request) => { if (!request.url().startsWith(BASE)) complaints.push(`${page.url()} fetched ${request.url()}`); });
  return { context, page };
}

async function check(page, name) {
  const cdp = await page.context().newCDPSession(page);
  const run = async (expression) => {
    const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    assert(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  };
  await run(`${axe}; undefined`);
  const tags = JSON.stringify(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
  const found = JSON.parse(await run(`axe.run(document, { runOnly: ${tags} }).then((found) => JSON.stringify(found.violations))`));
  const said = found.map((violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(said, [], `${name} is accessible`);
  const overflow = await run("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert(overflow <= 0, `${name} is ${overflow} pixels wider than its window`);
  await cdp.detach();
  // Hiding the caret would need an inline style.
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true, caret: "initial" });
}

/// Reads again until it holds.
async function until(page, what, holds) {
  for (const end = Date.now() + 60_000; Date.now() < end;) {
    if (await holds()) return;
    await page.waitForTimeout(300);
    await page.reload();
  }
  assert.fail(`${what} did not come about: ${await page.locator("main").innerText()}`);
}

const { context, page } = await open({});

// Signing in, and a mistake on the way.
await page.goto("/");
assert.equal(new URL(page.url()).pathname, "/sign-in");
await check(page, "sign-in");
await page.getByLabel("Email").fill(EMAIL);
await page.getByLabel("Password").fill("wrong");
await page.getByRole("button", { name: "Sign in" }).click();
await page.getByRole("alert").waitFor();
// What is refused is an error of the network to the console, which is as it should be.
complaints.length = 0;
await page.getByLabel("Password").fill(PASSWORD);
await page.keyboard.press("Enter");
await page.waitForURL("**/projects");
await check(page, "projects");

// A project.
await page.getByRole("link", { name: "New project" }).click();
await check(page, "new-project");
await page.getByLabel("Name").fill("Shop");
await page.getByRole("button", { name: "Make the project" }).click();
const key = await page.locator(".code code").innerText();
assert(key.startsWith("CO."), key);
await check(page, "project-made");
await page.getByRole("link", { name: "To the project" }).click();
await page.getByRole("heading", { name: "Send the first webhook" }).waitFor();
const project = new URL(page.url()).pathname;
await check(page, "first-run");

// The first webhook, to the built-in receiver.
await page.getByRole("link", { name: "Try it with the built-in receiver" }).click();
await check(page, "test-receiver-empty");
await page.getByRole("button", { name: "Make an endpoint of it" }).click();
await page.getByRole("button", { name: "Send a test event" }).click();
await page.getByText("Hello from Posthouse").waitFor();
await check(page, "test-receiver");

// An endpoint that fails at first.
const api = async (path, body) => {
  const answer = await fetch(`${BASE}/api/v1${project}/${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  assert(answer.ok, text);
  return JSON.parse(text).data;
};
await page.goto(`${project}/endpoints/new`);
await page.getByLabel("Name").fill("Payments");
await page.getByLabel("URL").fill("ftp://example.com/hook");
await page.getByRole("button", { name: "Make the endpoint" }).click();
await page.locator("[role=alert], .field-error").first().waitFor();
await check(page, "endpoint-form-with-a-problem");
complaints.length = 0;
await page.getByLabel("URL").fill(`http://${SINK}/flaky/1/payments`);
await page.getByRole("button", { name: "Make the endpoint" }).click();
await page.getByRole("heading", { name: "Payments" }).waitFor();
const endpoint = page.url().split("/").pop();
await api("subscriptions", { name: "once", endpoint_id: endpoint, retry_config: { type: "linear", duration: "1s", retry_count: 1 } });
const markup = "<img src=x onerror=alert(1)>";
await api("events", { endpoint_id: endpoint, event_type: "invoice.paid", data: { amount: 4200, currency: "EUR", paid: true, note: markup, lines: [{ sku: "A-1", quantity: 3 }], customer: null }, custom_headers: { "X-Note": markup }, idempotency_key: "order-4711" });
for (let number = 0; number < 4; number += 1) await api("events", { endpoint_id: endpoint, event_type: "invoice.sent", data: { number } });

// From the list to the failed delivery, and again.
await page.goto(`${project}/deliveries?status=Failure`);
await until(page, "the failed delivery", async () => await page.getByRole("link", { name: /^invoice\./ }).count() > 0);
await check(page, "deliveries");
await page.getByRole("link", { name: /^invoice\./ }).first().click();
await page.getByRole("heading", { name: "Attempt 1" }).waitFor();
await check(page, "delivery-failed");
await page.getByText("As a curl command").first().click();
assert((await page.locator("pre", { hasText: "curl -i -X" }).first().innerText()).includes("/flaky/1/payments"));
await page.getByRole("button", { name: "Resend" }).click();
// The page renews itself; nobody reloads it.
await page.getByRole("heading", { name: "Attempt 2" }).waitFor();
await page.locator("#delivery .head").first().getByText("Success").waitFor();
await check(page, "delivery-succeeded");

// Events: search, follow, one of them.
await page.goto(`${project}/events?idempotencyKey=order-4711`);
await check(page, "events-filtered");
await page.getByRole("link", { name: "invoice.paid" }).click();
await page.getByText("onerror=alert(1)").first().waitFor();
assert.equal(await page.locator("main img").count(), 0);
await check(page, "event");
await page.goto(`${project}/events`);
await check(page, "events");
await page.getByRole("link", { name: "Follow live" }).click();
await api("events", { endpoint_id: endpoint, event_type: "customer.arrived", data: {} });
await page.getByRole("link", { name: "customer.arrived" }).waitFor();
await check(page, "events-live");

// Endpoints, with secrets and a pause.
await page.goto(`${project}/endpoints`);
await check(page, "endpoints");
await page.getByRole("link", { name: "Payments" }).click();
await check(page, "endpoint");
assert.equal(await page.locator("#secrets .code").count(), 0);
await page.getByRole("button", { name: "Reveal" }).click();
await page.locator("#secrets .code").waitFor();
await page.goto(`${project}/endpoints/${endpoint}`);
await page.getByRole("button", { name: "Pause" }).click();
await page.locator("main .badge", { hasText: "Paused" }).waitFor();
await page.getByRole("button", { name: "Resume" }).click();
await page.locator("main .badge", { hasText: "Active" }).waitFor();

// A subscription, tried on what came in.
await page.goto(`${project}/subscriptions`);
await check(page, "subscriptions");
await page.getByRole("link", { name: "once" }).click();
await page.getByLabel("The data must hold").fill('{"amount": {"$gte": 100}}');
await page.getByLabel("Function").fill("function transform(payload) { return { cents: payload.amount }; }");
await page.getByRole("button", { name: "Try on recent events" }).click();
await page.getByText("would be delivered").waitFor();
await page.getByText("Kept back").first().waitFor();
await page.getByText("cents").last().waitFor();
await check(page, "subscription-tried");
await page.getByLabel("The data must hold").fill("{");
await page.getByRole("button", { name: "Save" }).click();
await page.locator("#body-error").waitFor();
complaints.length = 0;
await page.getByLabel("The data must hold").fill('{"amount": {"$gte": 100}}');
await page.getByRole("button", { name: "Save" }).click();
await page.getByText("The subscription is changed.").waitFor();

// Sources, batches, meta events, settings, the organisation.
await api("sources", { name: "Stripe", type: "http", provider: "", verifier: { type: "noop" } });
await page.goto(`${project}/sources`);
await check(page, "sources");
await page.getByRole("link", { name: "Stripe" }).click();
await check(page, "source");
for (const name of ["rejected", "batches", "meta-events", "settings"]) {
  await page.goto(`${project}/${name}`);
  await check(page, name);
}
await page.goto("/projects");
await page.getByRole("link", { name: "Members" }).first().click();
await page.getByLabel("Email").fill("bob@example.com");
await page.getByRole("button", { name: "Invite" }).click();
const organisation = new URL(page.url()).pathname.replace("/invites", "");
const invitation = await page.locator("#invitations .code code").innerText();
await check(page, "organisation");
await page.goto("/account");
await check(page, "account");
const guest = await open({});
await guest.page.goto(new URL(invitation).pathname + new URL(invitation).search);
await check(guest.page, "invitation");
for (const name of ["sign-up", "forgot-password", "reset-password?token=x", "verify-email?token=x"]) {
  await guest.page.goto(`/${name}`);
  await check(guest.page, name.split("?")[0]);
}
await guest.context.close();

await page.goto(project);
await check(page, "overview");
await page.goto(`${project}/deliveries/retry`);
await check(page, "retry-all");
await page.goto(`${project}/nothing`);
await check(page, "not-found");
complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes("404")));

// Keyboard: the first stop leads to the content.
await page.goto(`${project}/events`);
await page.keyboard.press("Tab");
assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
await page.keyboard.press("Enter");
assert.equal(await page.evaluate(() => document.activeElement.id), "content");

// Dark by choice, and on a phone.
await page.getByLabel("Colours").selectOption("dark");
await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
const session = await context.storageState();
const delivery = `${project}/deliveries?status=Success`;
const pages = { overview: project, events: `${project}/events`, deliveries: `${project}/deliveries`, endpoints: `${project}/endpoints`, endpoint: `${project}/endpoints/${endpoint}`, "test-receiver": `${project}/test-receiver`, subscriptions: `${project}/subscriptions`, settings: `${project}/settings`, batches: `${project}/batches`, sources: `${project}/sources`, projects: "/projects" };
pages.organisation = organisation;
await page.goto(delivery);
pages.delivery = await page.getByRole("link", { name: /^invoice\./ }).first().getAttribute("href");
for (const [name, path] of Object.entries(pages)) {
  await page.goto(path);
  await check(page, `${name}-dark`);
}
const phone = await open({ storageState: session, viewport: { width: 360, height: 760 }, colorScheme: "light", isMobile: true, hasTouch: true });
await phone.page.goto(project);
await phone.page.getByLabel("Colours").selectOption("system");
await phone.page.waitForFunction(() => !document.documentElement.dataset.theme);
for (const [name, path] of Object.entries(pages)) {
  await phone.page.goto(path);
  await check(phone.page, `${name}-phone`);
}

// Without JavaScript everything is there to be read.
const plain = await open({ storageState: session, javaScriptEnabled: false });
for (const path of Object.values(pages)) {
  await plain.page.goto(path);
  assert(await plain.page.locator("h1").isVisible(), path);
}

// Signing out.
await page.goto(project);
await page.locator("details.account summary").click();
await page.getByRole("button", { name: "Sign out", exact: true }).click();
await page.waitForURL("**/sign-in");
await page.goto(project);
assert.equal(new URL(page.url()).pathname, "/sign-in");

assert.deepEqual(complaints, []);
await browser.close();
console.log("The dashboard works in a browser.");
