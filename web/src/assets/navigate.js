// Searching without loading the page anew: the server's page is fetched and its middle put in place. The address, the
// title and the way back stay those of ordinary links.
import { announce, away, base, closeSuggestions, equip } from "./actions.js";
import { follow } from "./preview.js";
import { keep } from "./recent.js";

let running, settling;
// The address of the results that are shown.
let asked = location.href;

export function startNavigation() {
  if (!document.body.classList.contains("search")) {
    document.addEventListener("submit", (event) => {
      if (event.target.id === "search") leave(event);
    });
    return;
  }
  keep(document.getElementById("q").value);
  history.replaceState({ quarry: true }, "");
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "search") return;
    const query = event.target.q.value;
    if (!query.trim()) return event.preventDefault();
    event.preventDefault();
    go(`${base}/search?${new URLSearchParams(new FormData(event.target))}`);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const stays = link.closest(".facets, .pages, .empty") && link.pathname === `${base}/search`;
    if (!stays) return;
    event.preventDefault();
    const facet = link.closest(".facet")?.dataset.facet;
    go(link.href, { facet, top: Boolean(link.closest(".pages")) });
  });
  addEventListener("popstate", () => go(location.href, { back: true }));
}

// From another page: it is left only for a server that is there.
async function leave(event) {
  event.preventDefault();
  if (!event.target.q.value.trim()) return;
  const address = `${base}/search?${new URLSearchParams(new FormData(event.target))}`;
  try {
    await fetch(`${base}/health/live`);
    location.assign(address);
  } catch {
    away(true);
  }
}

async function go(address, { facet, top, back } = {}) {
  closeSuggestions();
  settling?.stop();
  running?.abort();
  running = new AbortController();
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(address, back);
    if (!answer) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const column = page.getElementById("results");
    const here = document.getElementById("results");
    // Anything but results (an error, another kind of page) is shown by the browser itself.
    if (!column || !here) return location.assign(address);
    here.replaceWith(document.adoptNode(column));
    equip();
    if (!back) history.pushState({ quarry: true }, "", address);
    asked = address;
    document.title = page.title;
    takeForm(page);
    keep(document.getElementById("q").value);
    takeTools(page);
    if (top) scrollTo(0, 0);
    if (top || facet) focusAfter(facet);
    announce(document.getElementById("truth")?.textContent.trim() ?? "");
    follow();
    if (document.querySelector("[data-stream]")) (settling ??= await import("./settle.js")).settle();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  } finally {
    main.removeAttribute("aria-busy");
  }
}

// Without an answer the results that are there stay, and so does their address.
async function ask(address, back) {
  const { signal } = running;
  try {
    const answer = await fetch(address, { signal, headers: { accept: "text/html" } });
    away(false);
    return answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    away(true);
    if (back) history.pushState({ quarry: true }, "", asked);
    return undefined;
  }
}

// The field and its hidden filters belong to the new search.
function takeForm(page) {
  const [form, other] = [document.getElementById("search"), page.getElementById("search")];
  form.querySelectorAll("input[type=hidden]").forEach((input) => input.remove());
  form.q.value = other.q.value;
  form.append(...[...other.querySelectorAll("input[type=hidden]")].map((input) => document.adoptNode(input)));
}

// The switches lead back to where the visitor is now.
function takeTools(page) {
  const links = page.querySelectorAll(".tools a");
  document.querySelectorAll(".tools a").forEach((link, number) => { link.href = links[number].getAttribute("href"); });
}

// The focus stays where the visitor was: on the chip, or at the first result of another page.
function focusAfter(facet) {
  const chip = facet && document.querySelector(`.facet[data-facet=${facet}] summary`);
  (chip || document.querySelector(".open"))?.focus();
}
