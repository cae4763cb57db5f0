// The customer's portal: in by a link, to an endpoint with its events, in two languages and narrow, and within a frame of another
// site.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { BASE, COLOURS, KEY, PROJECT, SITES, WIDTH, check, open, shot } from "./window.mjs";

const ask = async (method, path, body) => {
  const answer = await fetch(`${BASE}/api/v1/projects/${PROJECT}${path}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert(answer.ok, text);
  return JSON.parse(text).data;
};
const link = await ask("POST", "/portal-links", { name: "Ada's", owner_id: "ada", can_manage_endpoint: true });
await ask("POST", "/event-types", { name: "order.sent", description: "An order has left." });
const way = new URL(link.url, BASE);

const { context, page } = await open();
await page.goto(way.pathname + way.search);
assert(!page.url().includes(link.token), "the token has left the address");
await check(page, "portal-empty");
await page.locator("main a[href*='/endpoints/new']").first().click();
await page.getByLabel("Name", { exact: true }).fill("Ada's shop");
await page.getByLabel("URL", { exact: true }).fill("https://example.com/hooks");
await check(page, "portal-new-endpoint");
await page.locator("main form button").last().click();
await page.getByRole("heading", { name: "Choose events" }).waitFor();
await check(page, "portal-choose-events");
await page.getByRole("button", { name: "Save" }).click();
await page.getByText("The events are chosen.").waitFor();
await check(page, "portal-endpoint");
for (const name of ["events", "deliveries", "catalogue", "endpoints"]) {
  await page.locator(`nav a[href*='/${name}']`).first().click();
  await check(page, `portal-${name}`);
}
await page.goto(page.url().replace("/endpoints", "/deliveries/retry"));
await check(page, "portal-retry");
await page.goto(`${way.pathname}${way.search}&lang=de`);
assert.equal(await page.locator("html").getAttribute("lang"), "de");
await page.emulateMedia({ colorScheme: "dark" });
await check(page, "portal-dark", COLOURS);
await context.close();

const phone = await open({ viewport: { width: 360, height: 740 } });
await phone.page.goto(way.pathname + way.search);
await check(phone.page, "portal-phone", WIDTH);
await phone.context.close();

// A frame of another site, which is another one for cookies too. Two sites show it, and the project names one of them.
const others = createServer((request, answer) => {
  answer.setHeader("Content-Type", "text/html; charset=utf-8");
  answer.end(`<!doctype html><html lang="en"><title>Another site</title><link rel="icon" href="data:,"><h1>Another site</h1>
    <iframe title="Webhooks" src="${BASE}${way.pathname}${way.search}" width="1100" height="720" referrerpolicy="no-referrer"></iframe>`);
});
await new Promise((listens) => others.listen(0, "127.0.0.1", listens));
const [shop, stranger] = [SITES.shop, SITES.stranger].map((site) => `http://${site}:${others.address().port}`);
const { name } = await ask("GET", "");
await ask("PUT", "", { name, config: { portal: { frame_ancestors: [shop] } } });

const framed = await open({}, { sites: [shop] });
await framed.page.goto(shop);
const portal = framed.page.frameLocator("iframe");
await portal.getByRole("link", { name: "New endpoint" }).click();
await portal.getByLabel("Name", { exact: true }).fill("Of the frame");
await portal.getByLabel("URL", { exact: true }).fill("https://example.com/framed");
await portal.getByRole("button", { name: "Make the endpoint" }).click();
await portal.getByRole("heading", { name: "Choose events" }).waitFor();
await portal.getByRole("button", { name: "Save" }).click();
await portal.getByText("The events are chosen.").waitFor();
await shot(framed.page, "portal-framed");
await portal.getByRole("link", { name: "Endpoints" }).first().click();
await portal.getByRole("link", { name: "Of the frame" }).waitFor();
// By plain http the browser keeps no cookie for a frame, and the addresses within it open the next page.
assert.deepEqual(await framed.context.cookies(), []);
const inside = framed.page.frames().map((frame) => frame.url()).find((url) => url.startsWith(`${BASE}/portal/`));
assert(new URL(inside).searchParams.has("s") && !inside.includes(link.token), inside);
const made = await ask("GET", "/endpoints?ownerId=ada");
assert(made.content.some((endpoint) => endpoint.name === "Of the frame"), "what was made in the frame is there");
await framed.context.close();

// Whoever is not named is refused by the browser.
const refused = await open({}, { sites: [stranger], says: /frame-ancestors|ERR_BLOCKED_BY_/ });
await refused.page.goto(stranger);
await refused.page.getByRole("heading", { name: "Another site" }).waitFor();
assert(refused.page.frames().every((frame) => !frame.url().startsWith(BASE)), "no frame shows the portal");
assert.equal(await refused.page.frameLocator("iframe").locator("#portal-name").count(), 0);
await refused.context.close();
await ask("PUT", "", { name, config: { portal: { frame_ancestors: [] } } });
others.closeAllConnections();
await new Promise((ends) => others.close(ends));
