// The keyboard: everything that a mouse can do.
import { base, closeSuggestions, copyLink, suggestionsOpen } from "./actions.js";
import * as preview from "./preview.js";

export function startKeys() {
  const help = document.getElementById("help");
  document.getElementById("keys").addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    // The one key that also works while something is written.
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && !help.open) {
      if (focusField()) event.preventDefault();
      return;
    }
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const writes = event.target.closest("input, select, textarea");
    const action = event.key === "Escape" ? back : writes ? fromField(event) : KEYS[event.key];
    if (action?.(event) === true) event.preventDefault();
  });
}

const KEYS = {
  "/": () => focusField(),
  "?": () => { document.getElementById("help").showModal(); return true; },
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: (event) => !event.target.closest(".facet[open], .scroll, pre") && move(1),
  ArrowUp: (event) => !event.target.closest(".facet[open], .scroll, pre") && move(-1),
  Enter: openFile,
  p: () => { if (!document.getElementById("pane")) return false; preview.toggle(); return true; },
  c: () => press(".copy", copyLink),
  w: () => press(".why", (why) => { why.open = !why.open; }),
};

// In the field, only the way down to the results; everything else is writing.
function fromField(event) {
  return event.key === "ArrowDown" && event.target.id === "q" && !suggestionsOpen() ? () => move(1) : undefined;
}

function focusField() {
  const field = document.getElementById("q");
  if (!field) return false;
  field.focus();
  field.select();
  return true;
}

function move(step) {
  const links = [...document.querySelectorAll(".hit .open")];
  if (!links.length) return false;
  const here = links.findIndex((link) => link.closest(".hit").contains(document.activeElement));
  if (here < 0) {
    const current = links.findIndex((link) => link.closest(".hit") === preview.current());
    focus(links[step > 0 && current > 0 ? current : 0]);
  } else if (here + step < 0) {
    focusField();
  } else {
    focus(links[Math.min(here + step, links.length - 1)]);
  }
  return true;
}

function focus(link) {
  link.focus({ preventScroll: true });
  link.closest(".hit").scrollIntoView({ block: "nearest" });
}

function openFile(event) {
  const hit = event.shiftKey && event.target.closest(".hit");
  if (!hit) return false;
  open(`${base}/document/${hit.dataset.id}/file`, "_blank", "noopener");
  return true;
}

function press(what, action) {
  const target = (preview.current() || document.querySelector("main")).querySelector(what);
  if (!target) return false;
  action(target);
  return true;
}

// One step back: the open menu, then the preview, then from a result to the field, then out of it.
function back(event) {
  const menu = document.querySelector(".facet[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (suggestionsOpen()) {
    closeSuggestions();
  } else if (event.target.id === "q") {
    event.target.blur();
  } else if (event.target.closest(".pane") || (preview.isOpen() && !event.target.closest(".hit"))) {
    preview.close();
  } else if (event.target.closest(".hit")) {
    focusField();
  } else {
    const link = document.querySelector(".back a");
    link?.click();
    return Boolean(link);
  }
  return true;
}
