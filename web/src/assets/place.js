// Where the visitor was: so that the way back from a document leads to the same search and the same result.

const KEY = "quarry-place";

// Notes the search that is shown, and the result that is looked at.
export function note(id) {
  keep({ search: location.pathname + location.search, id });
}

function keep(place) {
  try { sessionStorage.setItem(KEY, JSON.stringify(place)); } catch { /* A browser that keeps nothing. */ }
}

function kept() {
  try { return JSON.parse(sessionStorage.getItem(KEY)) ?? {}; } catch { return {}; }
}

// The result that was looked at, for whoever comes back to its search from a document.
export function result() {
  const { search, id, left } = kept();
  return left && search === location.pathname + location.search && id ? document.querySelector(`.hit[data-id="${CSS.escape(id)}"]`) : null;
}

// On a document: the way back leads to the search with its filters.
export function startWayBack() {
  const link = document.querySelector(".back a");
  const { search, id } = kept();
  if (!link || !search) return;
  keep({ search, id, left: true });
  const query = (address) => new URL(address, location.href).searchParams.get("q");
  if (query(search) === query(link.href)) link.href = search;
}
