// Where insights are switched on: tells which results are opened, and asks whether they are what was looked for.
import { announce, base } from "./actions.js";

const words = document.getElementById("feedback").dataset;
const HAND = "M5 7.5 7.6 2c1.2 0 1.9.9 1.6 2.2L8.7 6.4h4.2c.9 0 1.5.8 1.3 1.7l-1.1 4.6c-.2.8-.8 1.3-1.6 1.3H5zM5 7.5H2V14h3";
// What was said, by query and document.
const said = new Map();

const query = () => new URLSearchParams(location.search).get("q")?.trim();

function tell(kind, document, rank) {
  // Sent also while the page is left; whether it arrives changes nothing here.
  fetch(`${base}/api/v1/feedback`, {
    method: "POST",
    keepalive: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: query(), document, kind, rank }),
  }).catch(() => {});
}

const rankOf = (hit) => hit.closest("ol").start + [...hit.parentNode.children].indexOf(hit);

// A document that is opened from its row, or from its preview.
function opened(event) {
  if (event.button > 1 || !query()) return;
  const link = event.target.closest(".hit .open, .hit .more a, .hit .origin, .pane a");
  const hit = link?.closest(".hit") ?? (link && document.querySelector(".hit.current"));
  if (hit) tell("click", hit.dataset.id, rankOf(hit));
}

function vote(button) {
  const { kind, id } = button.dataset;
  const hit = button.closest(".hit");
  said.set(`${id} ${query()}`, kind);
  show(button.parentNode);
  tell(kind, id, hit ? rankOf(hit) : undefined);
  announce(words.thanks);
}

function show(group) {
  for (const button of group.querySelectorAll("button")) {
    const { kind, id } = button.dataset;
    button.setAttribute("aria-pressed", said.get(`${id} ${query()}`) === kind);
  }
}

// The question for a document: new, or in a row that was copied from another.
function ask(actions, id) {
  actions.querySelector(".asked")?.remove();
  const group = document.createElement("span");
  group.className = "asked";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", words.asked);
  group.append(...["up", "down"].map((kind) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `${words.asked} ${words[kind]}`;
    button.ariaLabel = words[kind];
    Object.assign(button.dataset, { kind, id });
    button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${HAND}"/></svg>`;
    return button;
  }));
  actions.append(group);
  show(group);
}

function askAll() {
  if (!query()) return;
  for (const hit of document.querySelectorAll(".hit")) {
    if (hit.querySelector(".asked button")?.dataset.id !== hit.dataset.id) ask(hit.querySelector(".actions"), hit.dataset.id);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".asked button");
  if (button) vote(button); else opened(event);
});
document.addEventListener("auxclick", opened);
document.addEventListener("keydown", (event) => {
  const hit = event.key === "Enter" && event.shiftKey && event.target.closest(".hit");
  if (hit && query()) tell("click", hit.dataset.id, rankOf(hit));
});
const page = document.querySelector("main.document > .actions");
if (page && query()) ask(page, location.pathname.split("/").pop());
askAll();
// Results come anew, and rows move, without the page being loaded again.
new MutationObserver(askAll).observe(document.getElementById("main"), { childList: true, subtree: true });
