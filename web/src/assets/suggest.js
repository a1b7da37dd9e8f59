// Suggestions under the field: a combobox with a list, after the ARIA authoring practices.

import { base, closeSuggestions, suggestionsOpen } from "./actions.js";

const WAIT = 80;

let field, list, said, form;
let timer, running;
let typed = "";

export function startSuggestions() {
  form = document.getElementById("search");
  if (!form) return;
  field = form.querySelector("#q");
  list = form.querySelector("#suggestions");
  said = form.querySelector("#suggested");
  // Something may have been written while this was on its way.
  if (field.value !== field.defaultValue) ask(0);
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.setAttribute("aria-controls", "suggestions");
  field.addEventListener("input", () => ask(WAIT));
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
  if (!typed.trim()) return close();
  timer = setTimeout(fetchSuggestions, wait);
}

async function fetchSuggestions() {
  running = new AbortController();
  const text = typed;
  try {
    const answer = await fetch(`${base}/api/v1/suggest?limit=8&q=${encodeURIComponent(text)}`, { signal: running.signal });
    if (!answer.ok) return close();
    const { suggestions } = await answer.json();
    if (text === field.value && document.activeElement === field) show(suggestions);
  } catch {
    // Aborted, or the server is away: suggestions are a help, not a need.
  }
}

function show(suggestions) {
  if (!suggestions.length) return close();
  list.replaceChildren(...suggestions.map(({ text, kind }, number) => {
    const option = document.createElement("li");
    option.id = `suggestion-${number}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const label = document.createElement("span");
    label.dir = "auto";
    label.textContent = text;
    const origin = document.createElement("small");
    origin.textContent = form.dataset[kind] || "";
    option.append(label, origin);
    return option;
  }));
  list.hidden = false;
  field.setAttribute("aria-expanded", "true");
  field.removeAttribute("aria-activedescendant");
  said.textContent = suggestions.length === 1 ? form.dataset.one : form.dataset.many.replace("{}", suggestions.length);
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
    field.value = options[next].firstChild.textContent;
  }
}

function choose(option) {
  field.value = option.firstChild.textContent;
  close();
  form.requestSubmit();
}
