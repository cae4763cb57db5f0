// A browser without a network, and what holds for every page in it: it is accessible, as wide as its window, says nothing in the
// console and fetches nothing from elsewhere.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

export const { BASE, SINK, EMAIL, PASSWORD, TOOLS, CHROMIUM, SHOTS, PROJECT, KEY } = process.env;
const require = createRequire(`${TOOLS}/node_modules/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(SHOTS, { recursive: true });

// How long anything may take: a busy machine takes its time, and what never comes is reported all the same.
export const LIMIT = 60_000;

// Sites of others, which a test may serve on this machine.
export const SITES = { shop: "shop.example", stranger: "stranger.example" };

// A process of root has no sandbox; and nothing but the system under test and those sites has an address.
const here = Object.values(SITES).map((site) => `MAP ${site} 127.0.0.1`).join(", ");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", `--host-resolver-rules=${here}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`];
export const browser = await chromium.launch({ executablePath: CHROMIUM, args: flags, timeout: LIMIT });

const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
// Everything where it may differ from page to page; and what only colours or the width can change.
export const ALL = { type: "tag", values: [...WCAG, "best-practice"] };
export const COLOURS = { type: "rule", values: ["color-contrast", "link-in-text-block"] };
export const WIDTH = { type: "rule", values: ["target-size", "scrollable-region-focusable"] };

const complaints = [];
let refusal = null;

/// A window of its own. Whatever any of its pages says in the console or fetches from elsewhere is kept until the end, but for what
/// is foretold: the origins of other sites, and what the console says.
export async function open(options = {}, { sites = [], says = null } = {}) {
  // Nothing moves: a colour that is read half-way to another one belongs to no design.
  const still = { reducedMotion: "reduce" };
  const context = await browser.newContext({ baseURL: BASE, viewport: { width: 1280, height: 860 }, ...still, ...options });
  context.setDefaultTimeout(LIMIT);
  context.on("console", (message) => {
    if (!["error", "warning"].includes(message.type())) return;
    // To the console what is refused is an error of the network.
    if (refusal && message.text().includes(`status of ${refusal}`)) return;
    if (says?.test(message.text())) return;
    complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("weberror", (error) => complaints.push(`${error.page()?.url()}: ${error.error().stack}`));
  context.on("request", (request) => {
    const url = request.url();
    if (![BASE, ...sites].some((origin) => url.startsWith(`${origin}/`)) && !url.startsWith("data:")) complaints.push(`${url} was fetched`);
  });
  return { context, page: await context.newPage() };
}

/// A window in which somebody has signed in; it shows their projects.
export async function signedIn() {
  const window = await open();
  await window.page.goto("/sign-in");
  await window.page.getByLabel("Email").fill(EMAIL);
  await window.page.getByLabel("Password").fill(PASSWORD);
  await window.page.keyboard.press("Enter");
  await window.page.waitForURL("**/projects");
  return window;
}

/// Does what is to be refused with this status, and waits until the page says so.
export async function refused(status, act) {
  refusal = status;
  await act();
  refusal = null;
}

export async function check(page, name, rules = ALL) {
  const cdp = await page.context().newCDPSession(page);
  const run = async (expression) => {
    // Not as a script of the page: its policy would forbid that.
    const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    assert(!exceptionDetails, exceptionDetails?.exception?.description);
    return result.value;
  };
  await run(`${axe}; undefined`);
  const options = JSON.stringify({ runOnly: rules, resultTypes: ["violations"] });
  const found = JSON.parse(await run(`axe.run(document, ${options}).then((found) => JSON.stringify(found.violations))`));
  const said = found.map((violation) => `${violation.id}: ${violation.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(said, [], `${name} is accessible`);
  const overflow = await run("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert(overflow <= 0, `${name} is ${overflow} pixels wider than its window`);
  await cdp.detach();
  await shot(page, name, true);
}

export async function shot(page, name, fullPage = false) {
  // Hiding the caret would need an inline style, which the page's policy forbids.
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage, caret: "initial" });
}

/// Reads again until it holds.
export async function until(page, what, holds) {
  for (const end = Date.now() + LIMIT; Date.now() < end;) {
    if (await holds()) return;
    await page.waitForTimeout(300);
    await page.reload();
  }
  assert.fail(`${what} did not come about: ${await page.locator("main").innerText()}`);
}

/// Goes from stop to stop by the keyboard until it is there, and shows where it is.
export async function reach(page, what, locator) {
  const wanted = await locator.elementHandle();
  for (let stop = 0; stop < 200; stop += 1) {
    await page.keyboard.press("Tab");
    const here = await wanted.evaluate((element) => {
      if (element !== document.activeElement) return null;
      const style = getComputedStyle(element);
      return style.outlineStyle !== "none" || style.boxShadow !== "none" ? "shown" : "hidden";
    });
    if (here) return assert.equal(here, "shown", `${what} has the focus, and it is to be seen`);
  }
  return assert.fail(`${what} is not reached by the keyboard`);
}

export async function close() {
  await browser.close();
  assert.deepEqual(complaints, []);
}
