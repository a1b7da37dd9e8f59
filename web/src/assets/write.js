// The writer's answer: each sentence as it is proved, then the whole. The server renders both.
import { announce, base } from "./actions.js";

let source;

function write() {
  source?.close();
  const place = document.querySelector("[data-write]");
  if (!place) return;
  const writing = source = new EventSource(`${base}/search/answer?${place.dataset.write}`);
  const sentences = place.querySelector("div.reply");
  const end = (html) => {
    writing.close();
    if (html) {
      place.outerHTML = html;
      announce(document.querySelector(".reply")?.textContent.trim() ?? "");
    } else {
      place.querySelectorAll(".js").forEach((part) => part.matches(".copy") || part.remove());
    }
  };
  writing.addEventListener("sentence", (event) => sentences.insertAdjacentHTML("beforeend", event.data));
  writing.addEventListener("done", (event) => end(event.data));
  writing.addEventListener("error", () => end(""));
}

// Another search without loading the page anew puts other results in place.
new MutationObserver(write).observe(document.getElementById("main"), { childList: true });
write();
