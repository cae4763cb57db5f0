// The dashboard of a running system, from signing in to a delivery that is sent again: every page, in light and dark, wide and
// narrow, with the keyboard, and without JavaScript. Screenshots are kept.
import assert from "node:assert/strict";
import { ALL, BASE, COLOURS, EMAIL, PASSWORD, PROJECT, SINK, WIDTH, check, open, reach, refused, shot, until } from "./window.mjs";

const { context, page } = await open();

// Signing in, and a mistake on the way.
await page.goto("/");
assert.equal(new URL(page.url()).pathname, "/sign-in");
await check(page, "sign-in");
await page.getByLabel("Email").fill(EMAIL);
await page.getByLabel("Password").fill("wrong");
await refused(422, async () => {
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
});
await page.getByLabel("Password").fill(PASSWORD);
await page.keyboard.press("Enter");
await page.waitForURL("**/projects");
await check(page, "projects");

// A project.
await page.getByRole("link", { name: "New project" }).first().click();
await check(page, "new-project");
await page.getByLabel("Name", { exact: true }).fill("Trial");
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
await page.getByLabel("Name", { exact: true }).fill("Payments");
await page.getByLabel("URL", { exact: true }).fill("ftp://example.com/hook");
await refused(422, async () => {
  await page.getByRole("button", { name: "Make the endpoint" }).click();
  await page.locator("[role=alert], .field-error").first().waitFor();
});
await check(page, "endpoint-form-with-a-problem");
await page.getByLabel("URL", { exact: true }).fill(`http://${SINK}/flaky/1/payments`);
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
// By the keyboard alone.
await reach(page, "sending again", page.getByRole("button", { name: "Resend" }));
await page.keyboard.press("Enter");
// The page renews itself; nobody reloads it.
await page.getByRole("heading", { name: "Attempt 2" }).waitFor();
await page.locator("#delivery .head").first().getByText("Success").waitFor();
await check(page, "delivery-succeeded");
const delivery = new URL(page.url()).pathname;

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
await refused(422, async () => {
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("#body-error").waitFor();
});
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

await page.goto(`${project}/deliveries/retry`);
await check(page, "retry-all");
await refused(404, async () => {
  await page.goto(`${project}/nothing`);
  await page.getByRole("heading").first().waitFor();
});
await check(page, "not-found");

// A project with a week behind it.
const shop = `/projects/${PROJECT}`;
for (const period of ["hour", "week", "day"]) {
  await page.goto(`${shop}?period=${period}`);
  await page.locator("#activity svg").first().waitFor();
}
await check(page, "overview");
await page.goto(`${shop}/deliveries?status=Success`);
const first = page.locator("tbody tr");
assert.equal(await first.count(), 50);
await page.getByRole("link", { name: "Older" }).click();
await first.first().waitFor();
const pages = {
  overview: shop,
  events: `${shop}/events`,
  deliveries: `${shop}/deliveries`,
  endpoints: `${shop}/endpoints`,
  endpoint: `${project}/endpoints/${endpoint}`,
  subscriptions: `${shop}/subscriptions`,
  sources: `${project}/sources`,
  batches: `${shop}/batches`,
  "meta-events": `${shop}/meta-events`,
  settings: `${shop}/settings`,
  "test-receiver": `${project}/test-receiver`,
  projects: "/projects",
  organisation,
  account: "/account",
  delivery,
};

// Keyboard: the first stop leads to the content, the main navigation and actions are reached, menus close.
await page.goto(`${shop}/events`);
await page.keyboard.press("Tab");
assert.equal(await page.locator(":focus").innerText(), "Skip to the content");
await page.keyboard.press("Enter");
assert.equal(await page.locator(":focus").getAttribute("id"), "content");
for (const [path, what] of [
  [`${shop}/events`, page.getByRole("link", { name: "Deliveries" }).first()],
  [`${shop}/events`, page.getByRole("link", { name: "Follow live" })],
  [`${shop}/deliveries`, page.locator("tbody input[type=checkbox]").first()],
  [`${project}/endpoints/${endpoint}`, page.getByRole("button", { name: "Pause" })],
]) {
  await page.goto(path);
  await reach(page, `${path} ${what}`, what);
}
const menu = page.locator("details.account");
await menu.locator("summary").focus();
await page.keyboard.press("Enter");
await menu.getByRole("link", { name: "Account" }).waitFor();
await page.keyboard.press("Escape");
await menu.getByRole("link", { name: "Account" }).waitFor({ state: "hidden" });

// Dark by choice.
await page.getByLabel("Colours").selectOption("dark");
await page.locator("html[data-theme=dark]").waitFor();
for (const [name, path] of Object.entries(pages)) {
  await page.goto(path);
  await check(page, `${name}-dark`, COLOURS);
}
await page.getByLabel("Colours").selectOption("system");
await page.locator("html:not([data-theme])").waitFor();

// On a phone, which is dark by itself.
const session = await context.storageState();
const phone = await open({ storageState: session, viewport: { width: 360, height: 760 }, colorScheme: "dark", isMobile: true, hasTouch: true });
for (const [name, path] of Object.entries(pages)) {
  await phone.page.goto(path);
  await check(phone.page, `${name}-phone`, name === "overview" ? ALL : WIDTH);
}
await phone.context.close();

// Without JavaScript everything is there to be read.
const plain = await open({ storageState: session, javaScriptEnabled: false });
for (const path of Object.values(pages)) {
  await plain.page.goto(path);
  assert(await plain.page.locator("h1").isVisible(), path);
}
await plain.context.close();

// What README.md shows.
await page.goto(shop);
await page.locator("#activity svg").first().waitFor();
await shot(page, "readme-overview");
await page.goto(`${shop}/events`);
await shot(page, "readme-events");
// One that two attempts did not bring.
await page.goto(`${shop}/deliveries?idempotencyKey=order-480040`);
await page.getByRole("row", { name: /Payments/ }).getByRole("link", { name: "order.paid" }).click();
await page.getByRole("heading", { name: "Attempt 3" }).waitFor();
await shot(page, "readme-delivery");

// Signing out.
await page.goto(project);
await page.locator("details.account summary").click();
await page.getByRole("button", { name: "Sign out", exact: true }).click();
await page.waitForURL("**/sign-in");
await page.goto(project);
assert.equal(new URL(page.url()).pathname, "/sign-in");

await context.close();
