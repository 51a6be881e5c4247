// What makes the desk quicker to use. Every page can be read, and every form sent, without it.
"use strict";

const UNITS = [["d", 86_400], ["h", 3600], ["min", 60]];
const PLACES = { p: "pipeline", e: "events", l: "letters", o: "operations", a: "audit" };
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// Say something to who listens, and show it for a moment.
function tell(words) {
  const toast = one("[data-toast]");
  toast.textContent = words;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { toast.textContent = ""; }, 3000);
}

// "3 min ago" stays true while the page is open; the clock of the server counts, not this one's.
const skew = Date.parse(document.documentElement.dataset.now) - Date.now();

function ago(time) {
  const seconds = Math.max(0, (Date.now() + skew - Date.parse(time)) / 1000);
  for (const [unit, size] of UNITS) if (seconds >= 2 * size) return `${Math.round(seconds / size)} ${unit} ago`;
  return `${Math.floor(seconds)} s ago`;
}

function tellTimes() {
  for (const each of all("[data-ago]")) {
    const words = ago(each.dataset.ago || each.dateTime);
    if (each.textContent !== words) each.textContent = words;
  }
}

// Show what only a script can do.
function unveil() {
  for (const each of all("[data-copy], [data-script]")) each.hidden = false;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell("Copied");
  } catch {
    tell("The browser does not let this page copy");
  }
}

// Live parts are fetched again as the server would show them. Whoever is at work in one of them is
// not disturbed, nor is a server that nobody looks at.
let paused = false;

function pause(button) {
  paused = !paused;
  button.textContent = paused ? "Go on" : "Pause";
  tell(paused ? "The page stays as it is" : "The page follows again");
}

async function fetchPage() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    paused = true;
    tell("The session has ended: load the page again to sign in");
  }
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

function replace(parts, fresh) {
  for (const old of parts) {
    const young = fresh.getElementById(old.id);
    const isUsed = old.contains(document.activeElement) || !getSelection().isCollapsed;
    if (young && !isUsed) old.replaceWith(document.adoptNode(young));
  }
  for (const old of all("[data-said]")) {
    const young = fresh.getElementById(old.id);
    if (young && young.textContent !== old.textContent) old.textContent = young.textContent;
  }
  unveil();
  tellTimes();
}

async function refresh() {
  try {
    const fresh = paused || document.hidden ? null : await fetchPage();
    if (fresh) replace(all("[data-live]"), fresh);
  } catch {
    // The server is away; how old the page is stands on it.
  }
  follow();
}

function follow() {
  const waits = all("[data-live]").map((each) => Number(each.dataset.live));
  if (waits.length) setTimeout(refresh, 1000 * Math.min(...waits));
}

// The progress of an operation, told aloud at each tenth.
async function watch(bar) {
  try {
    const answer = await fetch(bar.dataset.progress, { redirect: "error" });
    const { planned, done, state } = await answer.json();
    const share = planned ? Math.floor((100 * done) / planned) : 100;
    bar.value = done;
    one("[data-done]").textContent = done.toLocaleString("en");
    one("[data-share]").textContent = share;
    const tenth = `${share - (share % 10)} percent is done`;
    const teller = one("[data-tell]");
    if (teller.textContent !== tenth) teller.textContent = tenth;
    if (state !== "running") return location.reload();
  } catch {
    // It goes on without this page; the next look may succeed.
  }
  setTimeout(watch, 1000, bar);
}

// Keys
function move(step) {
  const rows = all("[data-row]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const first = step > 0 ? 0 : rows.length - 1;
  const next = rows[at < 0 ? first : Math.min(rows.length - 1, Math.max(0, at + step))];
  next.querySelector("[data-main]").focus();
}

let goes = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
  const place = goes && PLACES[event.key] && one(`[data-place="${PLACES[event.key]}"]`);
  goes = event.key === "g";
  if (place) place.click();
  else if (event.key === "/") one("[data-find]")?.focus();
  else if (event.key === "?") one("[data-help]")?.showModal();
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-keys], [data-pause]");
  if (button?.dataset.copy) copy(button.dataset.copy);
  else if (button?.matches("[data-keys]")) one("[data-help]").showModal();
  else if (button) pause(button);
});

unveil();
tellTimes();
setInterval(tellTimes, 5000);
follow();
for (const bar of all("[data-progress]")) setTimeout(watch, 500, bar);
