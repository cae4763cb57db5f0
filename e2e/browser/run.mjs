// Everything that is looked at in a browser, one after the other. A tour is a file of its own, with what every page has to keep to
// from window.mjs.
import { close } from "./window.mjs";

await import("./dashboard.mjs");
await import("./made.mjs");
await import("./portal.mjs");
await import("./flows.mjs");
await close();
console.log("The pages work in a browser.");
