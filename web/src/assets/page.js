// The entry: marks the page as lively and starts the modules. Everything here also works without them.
import { equip, startActions } from "./actions.js";
import { startKeys } from "./keys.js";
import { startNavigation } from "./navigate.js";
import { startWayBack } from "./place.js";
import { startPreview } from "./preview.js";

document.documentElement.classList.add("lively");
startActions();
equip();
startPreview();
startNavigation();
startKeys();
startWayBack();
// What only some pages or visitors need is fetched for those.
const field = document.getElementById("q");
const suggest = (asked) => import("./suggest.js").then((suggest) => suggest.startSuggestions(asked));
if (field && field === document.activeElement) suggest(false);
else field?.addEventListener("focus", () => suggest(true), { once: true });
if (document.querySelector("[data-stream]")) import("./settle.js").then((settle) => settle.settle());
if (document.querySelector(".status #live, [data-busy], [data-retry]")) import("./watch.js").then((watch) => watch.startWatching());
