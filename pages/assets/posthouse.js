// Makes pages livelier. Without it everything can be read and done all the same.
"use strict";

document.documentElement.classList.add("scripted");

// The portal says these in its reader's language.
const WORDS = {
  now: "just now", ago: "{time} ago", in: "in {time}", days: "days", copy: "Copy", copied: "Copied", press: "Press Ctrl+C",
  ...JSON.parse(document.documentElement.dataset.words ?? "{}"),
};
const UNITS = [[90, 1, "s"], [5400, 60, "min"], [129600, 3600, "h"], [Infinity, 86400, WORDS.days]];

function relative(at) {
  const seconds = Math.trunc((Date.now() - at) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return WORDS.now;
  const [, length, unit] = UNITS.find(([end]) => size < end);
  const amount = `${Math.floor(size / length)} ${unit}`;
  return (seconds >= 0 ? WORDS.ago : WORDS.in).replace("{time}", amount);
}

function renewTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-relative]")) {
    const text = relative(Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

document.addEventListener("change", (event) => {
  const changed = event.target;
  if (changed.matches("[data-submit]")) changed.form.submit();
  if (changed.matches("[data-all]")) {
    for (const box of document.getElementsByName(changed.dataset.all)) box.checked = changed.checked;
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = WORDS.copied;
    } catch {
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = WORDS.press;
    }
    setTimeout(() => { button.textContent = WORDS.copy; }, 1500);
  }
  // An open menu closes when something else is clicked.
  for (const open of document.querySelectorAll("details.switch[open], details.account[open], details.careful[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.switch[open], details.account[open], details.careful[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// A part with `data-live` is renewed every so many milliseconds from the page itself, while somebody looks.
async function renew(id) {
  const part = document.getElementById(id);
  if (!part || !part.dataset.live) return;
  const again = () => setTimeout(renew, Number(part.dataset.live), id);
  const isBusy = part.contains(document.activeElement) || !getSelection().isCollapsed;
  if (document.hidden || isBusy) return again();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return again();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(id);
    if (!fresh) return undefined;
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    fresh.querySelectorAll("details").forEach((details, at) => { if (at < open.length) details.open = open[at]; });
    part.replaceWith(fresh);
    renewTimes(fresh);
    return fresh.dataset.live ? setTimeout(renew, Number(fresh.dataset.live), id) : undefined;
  } catch {
    return again();
  }
}

renewTimes();
setInterval(renewTimes, 15000);
for (const part of document.querySelectorAll("[data-live][id]")) setTimeout(renew, Number(part.dataset.live), part.id);
