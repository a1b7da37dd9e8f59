// What was searched lately: kept in this browser alone, and forgotten when that is asked for.
import { base } from "./actions.js";

const KEY = `quarry-recent${base}`;
const MOST = 8;
const LONGEST = 200;

export function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(kept) ? kept.filter((text) => typeof text === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

export function keep(query) {
  const text = query.trim();
  if (!text || text.length > LONGEST) return;
  const others = recent().filter((other) => other.toLowerCase() !== text.toLowerCase());
  try { localStorage.setItem(KEY, JSON.stringify([text, ...others].slice(0, MOST))); } catch { /* A browser that keeps nothing. */ }
}

export function forget() {
  try { localStorage.removeItem(KEY); } catch { /* A browser that keeps nothing. */ }
}
