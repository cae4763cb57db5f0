// What people do on the pages where things are made and looked after: one thing on each, and seen to have happened.
import assert from "node:assert/strict";
import { BASE, EMAIL, LIMIT, PASSWORD, PROJECT, SHOTS, browser, check, open, signedIn, until } from "./window.mjs";

const { BOARD } = process.env;
const { context, page } = await signedIn();
const shop = `/projects/${PROJECT}`;
const press = (name) => page.getByRole("button", { name, exact: true }).click();
const said = (text) => page.locator("[role=status]", { hasText: text }).waitFor();
const code = (place) => page.locator(`${place} .code code`).first().innerText();
// A button that asks first.
const careful = async (name) => {
  await page.locator("details.careful > summary", { hasText: name }).first().click();
  await page.locator("details.careful[open]").getByRole("button", { name, exact: true }).click();
};

// A source is made, posted to, and what came is there.
await page.goto(`${shop}/sources/new`);
await page.getByRole("link", { name: "No proof" }).click();
await page.getByLabel("Name", { exact: true }).fill("Till");
await page.getByText("More settings").click();
await page.getByLabel("The event type is at").fill("request.body.type");
await press("Make the source");
await said("The source is made.");
const posted = await fetch(await code("main"), {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ type: "till.opened", drawer: 7 }),
});
assert(posted.ok, `${posted.status} ${await posted.text()}`);
await page.getByRole("link", { name: "Its events" }).click();
const events = new URL(page.url()).pathname + new URL(page.url()).search;
await until(page, "the event of the source", async () => await page.getByRole("link", { name: "till.opened" }).count() > 0);
await page.getByRole("link", { name: "till.opened" }).click();
await page.locator("main .code", { hasText: "drawer" }).first().waitFor();

// A filter for its type is made; another is tried on it.
await page.goto(`${shop}/subscriptions`);
await page.locator("main").getByRole("link", { name: "Payments", exact: true }).first().click();
await page.getByRole("link", { name: "New filter" }).click();
await page.getByLabel("Event type").fill("till.opened");
await page.getByLabel("It decides").check();
await page.getByLabel("The data must hold").fill('{"drawer": {"$gte": 5}}');
await press("Make the filter");
await said("The filter is made.");
const row = (text) => page.locator("#trial tr", { hasText: "till.opened" }).getByText(text).waitFor();
await page.getByLabel("Event types").fill("till.opened");
for (const [least, outcome] of [[5, "Delivered"], [9, "Kept back"]]) {
  await page.getByLabel("The data must hold").fill(`{"drawer": {"$gte": ${least}}}`);
  await press("Try on recent events");
  await row(outcome);
}

// What matches is replayed, but only tried.
await page.goto(events);
await page.getByRole("link", { name: "Replay all that match" }).click();
await press("Try it first");
await page.getByRole("heading", { name: "What a replay would do" }).waitFor();
await page.getByText("deliveries of 1 events").waitFor();

// An event type is made, and deprecated.
await page.goto(`${shop}/event-types/new`);
await page.getByLabel("Name", { exact: true }).fill("till.opened");
await press("Make the event type");
await said("The event type is in the catalogue.");
await careful("Deprecate");
await said("The event type is deprecated.");

// A portal link is made and opened, by somebody who is not signed in.
await page.goto(`${shop}/portal-links/new`);
await page.getByLabel("Name", { exact: true }).fill("Finance");
await page.getByLabel("Owner").fill("finance");
await press("Make the portal link");
await said("The portal link is made.");
await press("Show the URL");
const way = new URL(await code("#url"), BASE);
const holder = await open();
await holder.page.goto(way.pathname + way.search);
await holder.page.locator("main").getByText("Payments").first().waitFor();
await holder.context.close();

// A setting is changed, and kept.
const setting = page.getByLabel("An idempotency key is taken for, seconds");
await page.goto(`${shop}/settings`);
await setting.fill("86400");
await press("Save");
await said("The settings are changed.");
await page.goto(`${shop}/settings`);
assert.equal(await setting.inputValue(), "86400");

// A personal key is made, used, and revoked.
await page.goto("/account");
await page.locator("#keys").getByLabel("Name", { exact: true }).fill("Till");
await press("Make a key");
const key = await code("#keys");
const asked = async () => (await fetch(`${BASE}/api/v1/projects/${PROJECT}/events?perPage=1`, { headers: { Authorization: `Bearer ${key}` } })).status;
assert.equal(await asked(), 200);
await page.locator("#keys tr", { hasText: "Till" }).getByRole("button", { name: "Revoke" }).click();
await said("The key is refused from now on.");
assert.equal(await asked(), 401);

// All of it is in the audit log.
await page.goto(`${shop}/audit-log`);
for (const action of ["source.create", "filter.create", "event.replay_many", "event_type.deprecate", "portal_link.create", "project.update"]) {
  assert(await page.locator("tbody tr", { hasText: action }).filter({ hasText: EMAIL }).count() > 0, action);
}

// A schedule is paused, resumed and run.
const paused = page.locator("main .badge", { hasText: "Paused" });
await page.goto("/admin/schedules");
await check(page, "schedules");
await page.getByRole("link", { name: "count_events" }).click();
await press("Pause");
await paused.first().waitFor();
await press("Resume");
await paused.first().waitFor({ state: "detached" });
await press("Run now");
await page.locator("#runs tr", { hasText: "asked for by" }).getByText("Succeeded").first().waitFor();

// A queue is paused and resumed.
await page.goto("/admin/queues");
await check(page, "queues");
await page.getByRole("link", { name: "replay_event", exact: true }).click();
await press("Pause");
await paused.first().waitFor();
await press("Resume");
await paused.first().waitFor({ state: "detached" });

// From there to the job board, which knows who comes, and fetches nothing from elsewhere.
const session = await context.storageState();
const visit = await browser.newContext({ baseURL: BASE, storageState: session });
visit.setDefaultTimeout(LIMIT);
const fetched = [];
visit.on("request", (request) => fetched.push(request.url()));
const board = await visit.newPage();
await board.goto("/admin/queues");
const figures = board.waitForResponse((answer) => answer.url().startsWith(`${BOARD}/api/v1/`) && answer.ok());
await board.getByRole("link", { name: "Job board" }).click();
await figures;
await board.waitForURL((url) => url.origin === BOARD && !url.pathname.startsWith("/enter"));
const back = board.getByRole("navigation", { name: "Dashboard" });
await back.getByRole("link", { name: "Queues" }).waitFor();
await board.screenshot({ path: `${SHOTS}/job-board.png` });
assert.deepEqual(fetched.filter((url) => ![BASE, BOARD].includes(new URL(url).origin) && !url.startsWith("data:")), []);
await back.getByRole("link", { name: "Queues" }).click();
await board.waitForURL(`${BASE}/admin/queues`);
await visit.close();

// Who signs in on the way comes to it as well; signing out ends it.
const stranger = await browser.newContext({ baseURL: BASE });
stranger.setDefaultTimeout(LIMIT);
const late = await stranger.newPage();
await late.goto(BOARD);
assert.equal(new URL(late.url()).pathname, "/sign-in");
await late.getByLabel("Email").fill(EMAIL);
await late.getByLabel("Password").fill(PASSWORD);
await late.keyboard.press("Enter");
await late.waitForURL(`${BOARD}/**`);
await late.getByRole("navigation", { name: "Dashboard" }).waitFor();
await late.goto("/projects");
await late.locator("details.account summary").click();
await late.getByRole("button", { name: "Sign out", exact: true }).click();
await late.waitForURL("**/sign-in");
await late.goto(BOARD);
assert.equal(new URL(late.url()).origin, BASE);
await stranger.close();
await context.close();
