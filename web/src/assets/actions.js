// Small things: copying a link, changing the colours, one open menu at a time.

const THEMES = { auto: "light", light: "dark", dark: "auto" };
const A_YEAR = 31536000;

// The path below which the server lies.
export const base = document.querySelector(".brand").pathname.replace(/\/$/, "");

export function startActions() {
  document.addEventListener("click", (event) => {
    const copy = event.target.closest(".copy");
    if (copy) copyLink(copy);
    const theme = event.target.closest("#theme");
    if (theme) {
      event.preventDefault();
      changeTheme(theme);
    }
    for (const menu of document.querySelectorAll(".facet[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of document.querySelectorAll(".facet[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}

// Buttons that do nothing without scripts are made by one.
export function equip() {
  const list = document.getElementById("hits");
  for (const like of document.querySelectorAll(".hit .like")) {
    const make = (name, icon, text) => {
      const button = document.createElement("button");
      const [drawing, label] = [like.querySelector("svg").cloneNode(true), document.createElement("span")];
      drawing.firstChild.setAttribute("href", `#i-${icon}`);
      label.textContent = text;
      button.className = name;
      button.type = "button";
      button.append(drawing, label);
      return button;
    };
    like.before(make("peek", "pane", list.dataset.preview), make("copy", "link", list.dataset.copy));
  }
}

// The list of suggestions, for whoever has to know of it before its own script was needed.
export function suggestionsOpen() {
  return Boolean(document.querySelector("#suggestions:not([hidden])"));
}

export function closeSuggestions() {
  if (!suggestionsOpen()) return;
  document.getElementById("suggestions").hidden = true;
  const field = document.getElementById("q");
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

// Whether the server can be reached. What is on the page stays there.
export function away(is) {
  document.getElementById("offline").hidden = !is;
}

export async function copyLink(button) {
  const place = button.dataset.link || button.closest(".hit")?.querySelector(".open").getAttribute("href");
  const link = button.dataset.text || new URL(place, location.href).href;
  const done = button.closest("[data-copied]").dataset.copied;
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    // Without a secure context there is no clipboard to write to: the old way.
    const field = document.createElement("textarea");
    field.value = link;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  const label = button.querySelector("span");
  const before = label.textContent;
  if (before === done) return;
  label.textContent = done;
  announce(done);
  setTimeout(() => { label.textContent = before; }, 1600);
}

// Says something to a screen reader.
export function announce(text) {
  const place = document.getElementById("suggested");
  if (place) place.textContent = text;
}

function changeTheme(link) {
  const root = document.documentElement;
  const theme = THEMES[root.dataset.theme] || "light";
  root.dataset.theme = theme;
  document.cookie = `quarry-theme=${theme}; Path=${base}/; Max-Age=${A_YEAR}; SameSite=Lax`;
  document.querySelector("meta[name=color-scheme]").content = theme === "auto" ? "light dark" : theme;
  const label = link.dataset[theme];
  link.title = label;
  link.querySelector("span").textContent = label;
  link.querySelector("use").setAttribute("href", `#i-${theme}`);
  const next = new URL(link.href);
  next.searchParams.set("theme", THEMES[theme]);
  link.href = next.href;
}
