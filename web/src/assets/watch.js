// Pages that change by themselves: the status while something is being indexed, and a page that waits for the server.

import { away } from "./actions.js";

const SOON = 1500;
const LATER = 10000;

export function startWatching() {
  const retry = document.querySelector("main.problem[data-retry]");
  if (retry) setTimeout(() => location.reload(), Number(retry.dataset.retry) * 1000);
  if (document.getElementById("live")) schedule();
}

function schedule() {
  const busy = document.getElementById("live").hasAttribute("data-busy");
  // The first page is watched while something is going on; the status always.
  if (!busy && !document.querySelector("main.status")) return;
  setTimeout(refresh, busy ? SOON : LATER);
}

async function refresh() {
  const live = document.getElementById("live");
  try {
    // What somebody stands in is not pulled away; a page that nobody sees needs no news.
    if (document.hidden || live.contains(document.activeElement)) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const news = page.getElementById("live");
    if (news) live.replaceWith(document.adoptNode(news));
    away(false);
  } catch {
    away(true);
  } finally {
    schedule();
  }
}
