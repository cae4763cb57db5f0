// What is made and looked after in the dashboard besides endpoints and subscriptions: each page is there, and keeps to what every
// page has to.
import assert from "node:assert/strict";
import { PROJECT, check, signedIn } from "./window.mjs";

const { context, page } = await signedIn();
const shop = `/projects/${PROJECT}`;

for (const kind of ["", "?kind=hmac", "?kind=kafka", "?kind=mqtt", "?kind=sqs"]) {
  await page.goto(`${shop}/sources/new${kind}`);
  await check(page, `new-source${kind.replace("?kind=", "-")}`);
}

await page.goto(`${shop}/event-types/new`);
await page.getByLabel("Name", { exact: true }).fill("order.returned");
await check(page, "new-event-type");
await page.locator("main form button").last().click();
await page.goto(`${shop}/event-types`);
await page.getByRole("link", { name: "order.returned" }).click();
await check(page, "event-type");
for (const name of ["event-types", "event-types/import", "portal-links", "portal-links/new", "events/replay", "audit-log", "settings", "settings/portal"]) {
  await page.goto(`${shop}/${name}`);
  await check(page, name.replace("/", "-"));
}
const endpoint = await page.request.get(`${shop}/endpoints`).then((answer) => answer.text());
const id = endpoint.match(/\/endpoints\/([0-9A-Z]{26})/)[1];
await page.goto(`${shop}/endpoints/${id}/authentication`);
await check(page, "endpoint-authentication");
assert.equal(new URL(page.url()).pathname, `${shop}/endpoints/${id}/authentication`);
await context.close();
