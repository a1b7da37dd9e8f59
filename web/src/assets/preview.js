// The pane beside the results: shows the document at the passage. Only where there is room for it.

import { note, result } from "./place.js";

const WIDE = matchMedia("(min-width: 1100px)");
const WAIT = 120;
const KEY = "quarry-preview";

let pane, timer, running, shown;

export function startPreview() {
  pane = document.getElementById("pane");
  if (!pane) return;
  pane.querySelector(".shut").addEventListener("click", () => { close(); currentLink()?.focus(); });
  document.addEventListener("focusin", (event) => {
    const hit = event.target.closest?.(".hit");
    if (hit) select(hit);
  });
  document.addEventListener("click", (event) => {
    const hit = event.target.closest(".hit");
    if (!hit) return;
    if (event.target.closest(".peek")) return open(hit);
    if (!event.target.closest("a, button, summary") && !String(getSelection())) select(hit);
  });
  WIDE.addEventListener("change", follow);
  const before = result();
  before?.classList.add("current");
  before?.querySelector(".open").focus();
  follow();
}

export function isOpen() {
  return Boolean(pane && !pane.hidden && WIDE.matches);
}

export function toggle() {
  if (isOpen()) close(); else open(current() || firstHit());
}

export function close() {
  remember("off");
  // What was on its way must not open it again.
  clearTimeout(timer);
  running?.abort();
  pane.hidden = true;
  shown = undefined;
}

// After new results: the first one is previewed.
export function follow() {
  if (!pane) return;
  const first = firstHit();
  if (!first || !WIDE.matches || wanted() === "off") {
    pane.hidden = true;
    shown = undefined;
    return;
  }
  select(current() || first);
}

function open(hit) {
  if (!hit || !WIDE.matches) return;
  remember("on");
  shown = undefined;
  select(hit);
}

function select(hit) {
  document.querySelectorAll(".hit.current").forEach((other) => other.classList.toggle("current", other === hit));
  hit.classList.add("current");
  note(hit.dataset.id);
  if (!WIDE.matches || wanted() === "off") return;
  clearTimeout(timer);
  timer = setTimeout(() => show(hit), shown ? WAIT : 0);
}

async function show(hit) {
  const link = hit.querySelector(".open").getAttribute("href");
  if (link === shown) return;
  running?.abort();
  running = new AbortController();
  try {
    const answer = await fetch(link.split("#")[0], { signal: running.signal, headers: { "x-quarry-part": "preview" } });
    if (!answer.ok) return;
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    const place = document.getElementById("preview");
    place.replaceChildren(...[...part.body.childNodes].map((node) => document.adoptNode(node)));
    shown = link;
    pane.hidden = false;
    const [text, found] = [place.querySelector(".text"), place.querySelector(".found")];
    // A little of what stands above it, so that it can be seen where it belongs.
    if (text && found) text.scrollTop += found.getBoundingClientRect().top - text.getBoundingClientRect().top - 72;
  } catch {
    // Another one was asked for, or the server is away; the results are still there.
  }
}

export function current() {
  return document.querySelector(".hit:focus-within, .hit.current");
}

function currentLink() {
  return (current() || firstHit())?.querySelector(".open");
}

function firstHit() {
  return document.querySelector(".hit");
}

function wanted() {
  try { return localStorage.getItem(KEY); } catch { return null; }
}

function remember(value) {
  try { localStorage.setItem(KEY, value); } catch { /* A browser that keeps nothing. */ }
}
