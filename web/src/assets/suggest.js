// What is under the field while somebody types: suggestions, and the documents that hold the words; before that, what was
// searched lately. A combobox with a list, after the ARIA authoring practices.

import { away, base, closeSuggestions, suggestionsOpen } from "./actions.js";
import { forget, recent } from "./recent.js";

const WAIT = 80;
// Documents are looked for from so many letters on.
const LETTERS = 3;
const DOCUMENTS = 4;

let field, list, said, form;
let timer, running;
let typed = "";

// `asked`: somebody went to the field by themselves; a page that only opens on it shows no list.
export function startSuggestions(asked) {
  form = document.getElementById("search");
  if (!form) return;
  field = form.querySelector("#q");
  list = form.querySelector("#suggestions");
  said = form.querySelector("#suggested");
  // Something may have been written while this was on its way.
  if (field.value !== field.defaultValue) ask(0);
  else if (asked) showRecent();
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-controls", "suggestions");
  field.addEventListener("input", () => ask(WAIT));
  field.addEventListener("focus", showRecent);
  field.addEventListener("click", showRecent);
  field.addEventListener("keydown", onKey);
  field.addEventListener("blur", () => setTimeout(close, 120));
  form.addEventListener("submit", close);
  list.addEventListener("pointerdown", (event) => {
    const option = event.target.closest("[role=option]");
    event.preventDefault();
    if (option) choose(option);
  });
}

function close() {
  clearTimeout(timer);
  running?.abort();
  closeSuggestions();
}

function ask(wait) {
  clearTimeout(timer);
  running?.abort();
  typed = field.value;
  if (!typed.trim()) return showRecent();
  timer = setTimeout(fetchSuggestions, wait);
}

async function fetchSuggestions() {
  const mine = running = new AbortController();
  const text = typed;
  const documents = text.trim().length < LETTERS && !/[^\u0000-\u2fff]/.test(text) ? 0 : DOCUMENTS;
  try {
    const answer = await fetch(`${base}/api/v1/suggest?limit=6&documents=${documents}&q=${encodeURIComponent(text)}`, { signal: mine.signal });
    away(false);
    if (!answer.ok) return close();
    const found = await answer.json();
    if (text === field.value && document.activeElement === field) show(entries(found));
  } catch {
    // Overtaken by the next key, or the server is away.
    if (!mine.signal.aborted) away(true);
  }
}

// What is suggested, then what is found; a document that is suggested by its title is not told twice.
function entries({ suggestions, documents = [] }) {
  const named = new Set(suggestions.map(({ document }) => document));
  return [
    ...suggestions.map(({ text, kind, document }) => ({ text, note: form.dataset[document ? "document" : kind], to: document && documentAt(document) })),
    ...documents.filter(({ id }) => !named.has(id)).map(({ id, title, path, passage }) => ({ text: title, note: path, to: `${documentAt(id, passage)}#passage-${passage}` })),
  ];
}

function documentAt(id, passage = 0) {
  return `${base}/document/${id}?passage=${passage}&q=${encodeURIComponent(typed)}`;
}

function showRecent() {
  if (field.value.trim()) return;
  const texts = recent();
  typed = "";
  show([
    ...texts.map((text) => ({ text, note: form.dataset.recent })),
    ...(texts.length ? [{ text: form.dataset.clear, note: "", act: forget }] : []),
  ]);
}

let shown = [];

function show(entries) {
  if (!entries.length) return close();
  shown = entries;
  list.replaceChildren(...entries.map(({ text, note, act }, number) => {
    const option = document.createElement("li");
    option.id = `suggestion-${number}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const label = document.createElement("span");
    label.dir = "auto";
    label.textContent = text;
    const origin = document.createElement("small");
    origin.textContent = note || "";
    option.append(label, origin);
    return option;
  }));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  field.removeAttribute("aria-activedescendant");
  said.textContent = entries.length === 1 ? form.dataset.one : form.dataset.many.replace("{}", entries.length);
}

function onKey(event) {
  if (event.isComposing) return;
  if (event.key === "ArrowDown" && event.altKey) {
    event.preventDefault();
    ask(0);
  } else if (event.key === "Escape" && suggestionsOpen()) {
    event.preventDefault();
    event.stopPropagation();
    field.value = typed;
    close();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && suggestionsOpen()) {
    event.preventDefault();
    event.stopPropagation();
    move(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter" && suggestionsOpen()) {
    const option = list.querySelector("[aria-selected=true]");
    if (option) {
      event.preventDefault();
      choose(option);
    }
  } else if (event.key === "Tab") {
    close();
  }
}

function move(step) {
  const options = [...list.children];
  const now = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  // One place more than there are options: what was typed.
  const next = (now + 1 + step + options.length + 1) % (options.length + 1) - 1;
  options.forEach((option, number) => option.setAttribute("aria-selected", String(number === next)));
  if (next < 0) {
    field.removeAttribute("aria-activedescendant");
    field.value = typed;
  } else {
    field.setAttribute("aria-activedescendant", options[next].id);
    field.value = shown[next].act ? typed : shown[next].text;
  }
}

// A document is opened, everything else is searched for.
function choose(option) {
  const { text, to, act } = shown[[...list.children].indexOf(option)];
  if (to) {
    field.value = typed;
    close();
    return location.assign(to);
  }
  if (act) {
    act();
    field.value = typed;
    return close();
  }
  field.value = text;
  close();
  form.requestSubmit();
}
