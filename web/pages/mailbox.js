"use strict";
// The list of mails stays up to date while somebody looks at it.

const list = document.getElementById("mails");
let last = list.innerHTML;

async function look() {
  if (document.hidden) {
    return;
  }
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("mails");
    if (answer.ok && fresh && fresh.innerHTML !== last) {
      last = fresh.innerHTML;
      list.replaceChildren(...fresh.children);
    }
  } catch { /* the server is away for a moment */ }
}

setInterval(look, 2000);
document.addEventListener("visibilitychange", look);
