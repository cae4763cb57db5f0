// The customer's portal: in by a link, to a delivery that is sent again, in two languages and narrow.
import assert from "node:assert/strict";
import { BASE, COLOURS, KEY, PROJECT, WIDTH, check, open } from "./window.mjs";

const ask = async (method, path, body) => {
  const answer = await fetch(`${BASE}/api/v1/projects/${PROJECT}/${path}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert(answer.ok, text);
  return JSON.parse(text).data;
};
const link = await ask("POST", "portal-links", { name: "Ada's", owner_id: "ada", can_manage_endpoint: true });
await ask("POST", "event-types", { name: "order.sent", description: "An order has left." });
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
await page.goto(`${way.pathname}${way.search}&lang=de`);
assert.equal(await page.locator("html").getAttribute("lang"), "de");
await page.emulateMedia({ colorScheme: "dark" });
await check(page, "portal-dark", COLOURS);
await context.close();

const phone = await open({ viewport: { width: 360, height: 740 } });
await phone.page.goto(way.pathname + way.search);
await check(phone.page, "portal-phone", WIDTH);
await phone.context.close();
