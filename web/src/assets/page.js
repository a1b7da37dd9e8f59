// The entry: marks the page as lively and starts the modules. Everything here also works without them.
import { startActions } from "./actions.js";
import { startKeys } from "./keys.js";
import { startNavigation } from "./navigate.js";
import { startWayBack } from "./place.js";
import { startPreview } from "./preview.js";
import { startSuggestions } from "./suggest.js";

document.documentElement.classList.add("lively");
startActions();
startSuggestions();
startPreview();
startNavigation();
startKeys();
startWayBack();
// What only some pages need is fetched by those.
if (document.querySelector("[data-stream]")) import("./settle.js").then((settle) => settle.settle());
if (document.querySelector(".status #live, [data-busy], [data-retry]")) import("./watch.js").then((watch) => watch.startWatching());
