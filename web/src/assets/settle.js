// The order settles: better orders arrive while the reranker reads, and rows move to their places once, shortly, and
// never under the pointer or the focus.
import { announce, base } from "./actions.js";

const SHORT = 180;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

let source, waiting, started, column;

// Rows that were held back for the pointer or the focus move when it has gone.
for (const event of ["pointerout", "focusout"]) document.addEventListener(event, () => setTimeout(arrangeWaiting, 60));

export function stop() {
  source?.close();
  source = waiting = undefined;
}

// Listens for better orders of the results on the page.
export function settle() {
  stop();
  column = document.getElementById("results");
  const query = column?.dataset.stream;
  if (!query) return;
  started = performance.now();
  const listening = source = new EventSource(`${base}/api/v1/search/stream?mark=sentences&${query}`);
  let read = 0, state;
  source.addEventListener("results", (event) => {
    const answer = JSON.parse(event.data);
    read = answer.reranked;
    state = answer.rerank_state;
    if (answer.answerable?.verdict !== "unlikely") document.getElementById("closest")?.remove();
    waiting = answer;
    arrangeWaiting();
    if (read) say(column.dataset.reranking, read, Math.max(read, column.dataset.depth));
  });
  source.addEventListener("done", () => {
    listening.close();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const text = say(column.dataset[state === "away" ? state : "settled"], `${seconds} s`);
    if (read) announce(text);
    if (waiting) offer();
    column.dataset.state = "settled";
  });
  source.addEventListener("error", () => {
    // The server ends with "done"; whatever else ends the stream leaves the last order standing.
    listening.close();
    say(column.dataset.lost);
    column.dataset.state = "lost";
  });
}

function say(pattern, ...values) {
  const text = values.reduce((text, value) => text.replace("{}", value), pattern);
  const place = document.getElementById("settling");
  if (place) place.textContent = text;
  return text;
}

// Somebody rests on a row: the order waits until they have gone, or ask for it. Going to the button is going.
function offer() {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = column.dataset.held;
  document.getElementById("settling").append(" ", button);
}

function isTouched(row) {
  return row.matches(":hover") || row.contains(document.activeElement);
}

function arrangeWaiting() {
  const list = document.getElementById("hits");
  if (!waiting || !list) return;
  const rows = new Map([...list.children].map((row) => [row.dataset.id, row]));
  if ([...rows.values()].some(isTouched)) {
    // The rows stay; what is known about them is told all the same.
    waiting.results.forEach((hit) => rows.has(hit.id) && update(rows.get(hit.id), hit));
    return;
  }
  const best = Math.max(...waiting.results.flatMap((hit) => hit.passages.map((passage) => passage.lexical?.score ?? 0)));
  const ordered = waiting.results.map((hit) => {
    const row = rows.get(hit.id) || make(list.querySelector(".hit:has(.more)") || list.firstElementChild, hit);
    update(row, hit, best);
    return row;
  });
  waiting = undefined;
  document.querySelector("#settling button")?.remove();
  const same = ordered.length === list.children.length && ordered.every((row, place) => row === list.children[place]);
  if (!same) move(list, ordered);
}

// First, last, invert, play.
function move(list, ordered) {
  const before = new Map([...list.children].map((row) => [row, row.getBoundingClientRect().top]));
  list.replaceChildren(...ordered);
  if (STILL.matches) return;
  for (const row of ordered) {
    const from = before.get(row);
    const by = from === undefined ? 0 : from - row.getBoundingClientRect().top;
    if (from === undefined) {
      row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: SHORT });
    } else if (by) {
      row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: SHORT, easing: "ease-out" });
    }
  }
}

// What the judges say of the best passage.
function update(row, hit, best) {
  const [passage] = hit.passages;
  const judges = row.querySelectorAll(".why p");
  if (judges.length < 3 || !passage) return;
  const share = passage.reranker;
  if (share === null || share === undefined) return;
  judge(judges[2], share, column.dataset.score.replace("{}", Math.round(share * 100)));
  if (best && passage.lexical) judge(judges[0], passage.lexical.score / best);
}

function judge(line, share, text) {
  line.querySelector("progress").value = share;
  if (text) line.lastChild.textContent = text;
}

// A row for a document that was not on the page: a copy of another row, filled anew. Text only, never markup.
function make(sample, hit) {
  const row = sample.cloneNode(true);
  const [passage, ...further] = hit.passages;
  const link = `${base}/document/${hit.id}?passage=${passage.number}&q=${encodeURIComponent(document.getElementById("q").value)}#passage-${passage.number}`;
  row.classList.remove("current");
  row.dataset.id = hit.id;
  const folders = hit.path.split("/");
  const name = folders.pop();
  const headings = passage.headings.filter((heading) => heading !== hit.title && heading !== name);
  row.querySelector(".crumbs").replaceChildren(...[hit.source, ...folders, ...headings].flatMap((part, place) => {
    const crumb = document.createElement("bdi");
    const link = place > 0 && place <= folders.length && document.createElement("a");
    if (link) link.href = within(folders.slice(0, place));
    (link || crumb).textContent = clean(part);
    if (link) crumb.append(link);
    return place ? [" ", crumb] : [crumb];
  }));
  const origin = row.querySelector(".origin");
  if (hit.url && origin) origin.href = hit.url;
  else origin?.remove();
  const section = row.querySelector(".section bdi");
  if (section && passage.section) section.textContent = clean(passage.section);
  else row.querySelector(".section")?.remove();
  const open = row.querySelector(".open");
  open.href = link;
  open.querySelector("bdi").textContent = clean(hit.title);
  const kind = filed("type", hit.kind);
  const icon = kind?.dataset.icon ?? "doc";
  open.querySelector("use").setAttribute("href", `#i-${icon}`);
  row.querySelector(".snippet").replaceWith(snippet(passage, hit));
  row.querySelector(".meta").replaceChildren(...facts(hit, passage, name).filter(Boolean).map((text) => {
    const part = document.createElement("bdi");
    part.textContent = clean(text);
    return part;
  }));
  const more = row.querySelector(".more");
  if (!further.length) more?.remove();
  else if (more) fillMore(more, hit, further);
  row.querySelector(".like").href = `${base}/document/${hit.id}/similar?passage=${passage.number}`;
  row.querySelector(".why").open = false;
  fillJudges(row, passage);
  return row;
}

// The search of this page within a folder.
function within(folders) {
  const search = new URLSearchParams(location.search);
  for (const name of ["offset", "close"]) search.delete(name);
  search.set("path", `${folders.join("/")}/`);
  return `${base}/search?${search}`;
}

function fillJudges(row, passage) {
  const [words, meaning] = row.querySelectorAll(".why p");
  const { words: rank, nowords, meaning: near, nomeaning } = column.dataset;
  judge(words, passage.lexical ? 1 / passage.lexical.rank : 0, passage.lexical ? rank.replace("{}", `#${passage.lexical.rank}`) : nowords);
  judge(meaning, passage.vector?.score ?? 0, passage.vector ? near.replace("{}", `#${passage.vector.rank}`) : nomeaning);
}

function fillMore(more, hit, further) {
  more.open = false;
  more.querySelector("summary").lastChild.textContent = column.dataset.more.replace("{}", further.length);
  more.querySelector("ol").replaceChildren(...further.map((passage) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `${base}/document/${hit.id}?passage=${passage.number}#passage-${passage.number}`;
    link.textContent = clean(passage.headings.at(-1) || hit.title);
    item.append(link, snippet(passage, hit));
    return item;
  }));
}

// The entry of a value in the list of a facet: it knows how people call it.
function filed(facet, value) {
  return document.querySelector(`.facet[data-facet=${facet}] a[data-value="${CSS.escape(value ?? "")}"]`);
}

function facts(hit, passage, name) {
  const { start, end } = passage.lines;
  const lines = end - 1 > start ? `${start}–${end - 1}` : `${start}`;
  const { kind, number, label } = passage.place ?? {};
  const place = kind ? column.dataset[kind]?.replace("{}", number) ?? label : column.dataset.lines.replace("{}", lines);
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const day = new Date(hit.modified * 1000).toLocaleDateString(language, { day: "numeric", month: language === "en-GB" ? "short" : "long", year: "numeric" });
  const named = (facet, value) => filed(facet, value)?.querySelector("span").textContent;
  return [name, named("type", hit.kind) ?? hit.kind, place, column.dataset.changed.replace("{}", day), named("lang", hit.language)];
}

// Highlights are ranges of bytes of the UTF-8 text.
function snippet(passage, { language }) {
  const { snippet_start: from, blocks } = passage;
  const to = from + new TextEncoder().encode(passage.snippet).length;
  const kinds = new Set(blocks.filter(({ start, end }) => start < to && end > from).map(({ kind }) => kind));
  const code = kinds.size === 1 && kinds.has("code");
  const place = document.createElement(code ? "pre" : "p");
  place.className = passage.marked === "sentence" ? "snippet sense" : "snippet";
  place.dir = "auto";
  if (language) place.lang = language;
  const bytes = new TextEncoder().encode(passage.snippet);
  const text = (from, to) => clean(new TextDecoder().decode(bytes.subarray(from, to)));
  let at = 0;
  for (const { start, end } of passage.highlights) {
    const mark = document.createElement("mark");
    mark.textContent = text(start, end);
    place.append(text(at, start), mark);
    at = end;
  }
  place.append(text(at, bytes.length));
  return place;
}

// Characters that change the direction of text could make a name read as another one.
function clean(text) {
  return text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}
