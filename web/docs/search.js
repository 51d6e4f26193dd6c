"use strict";
// The search over all APIs: an index that the server made, loaded when somebody begins to search.

for (const box of document.querySelectorAll(".search")) {
  const input = box.querySelector("input");
  const list = box.querySelector("ul");
  const found = box.querySelector(".found");
  const most = 30;
  let index = null; // a promise of the entries
  let active = -1;

  const load = () => {
    index ??= fetch(box.dataset.index, { credentials: "omit" }).then((answer) => {
      if (!answer.ok) {
        throw new Error(`HTTP ${answer.status}`);
      }
      return answer.json();
    });
    index.catch(() => { index = null; });
    return index;
  };

  // rank tells how well an entry fits: 0 not at all, then the better the lower.
  function rank(entry, words) {
    const title = entry.t.toLowerCase();
    if (!words.every((word) => title.includes(word) || entry.x.includes(word) || entry.k.toLowerCase() === word)) {
      return 0;
    }
    const whole = words.join(" ");
    const parts = title.split("/");
    if (title === whole || parts.at(-1) === whole) return 1;
    if (title.startsWith(whole) || parts.at(-1).startsWith(words.at(-1))) return 2;
    if (words.every((word) => title.includes(word))) return 3;
    if (words.some((word) => title.includes(word))) return 4;
    return 5;
  }

  function close() {
    list.hidden = true;
    list.replaceChildren();
    found.textContent = "";
    box.classList.remove("open");
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function activate(n) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = n;
    const now = list.children[n];
    now.setAttribute("aria-selected", "true");
    now.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", now.id);
  }

  function go(entry) {
    input.value = "";
    close();
    location.assign(entry.dataset.path);
  }

  function item(entry, n) {
    const li = document.createElement("li");
    li.id = `hit-${n}`;
    li.dataset.path = entry.p;
    li.setAttribute("role", "option");
    li.setAttribute("aria-selected", "false");
    for (const [name, text] of [[`method ${entry.k}`, entry.k], ["path", entry.t], ["where", entry.w]]) {
      const part = document.createElement("span");
      part.className = name;
      part.textContent = text;
      li.append(part, " ");
    }
    return li;
  }

  async function search() {
    const asked = input.value;
    const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) {
      close();
      return;
    }
    let entries;
    try {
      entries = await load();
    } catch {
      found.textContent = "The index of the search could not be loaded.";
      return;
    }
    if (asked !== input.value) {
      return; // somebody typed on
    }
    const hits = entries.map((entry) => [rank(entry, words), entry]).filter(([n]) => n > 0).sort((a, b) => a[0] - b[0]);
    list.replaceChildren(...hits.slice(0, most).map(([, entry], n) => item(entry, n)));
    list.hidden = hits.length === 0;
    box.classList.add("open");
    active = -1;
    input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-expanded", String(hits.length > 0));
    found.textContent = hits.length === 0 ? "Nothing found among operations, types and routes of this server."
      : hits.length > most ? `${most} of ${hits.length} found` : `${hits.length} found`;
    if (hits.length > 0) {
      activate(0);
    }
  }

  box.hidden = false;
  input.addEventListener("focus", () => { load().catch(() => {}); });
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    const many = list.children.length;
    if (event.key === "Escape") {
      event.preventDefault();
      if (input.value === "") {
        input.blur();
      }
      input.value = "";
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && many > 0) {
      event.preventDefault();
      activate((active + (event.key === "ArrowDown" ? 1 : -1) + many) % many);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      go(list.children[active]);
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const hit = event.target.closest("[role=option]");
    if (hit) {
      go(hit);
    }
  });
  document.addEventListener("click", (event) => {
    if (!box.contains(event.target)) {
      close();
    }
  });
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !writes) {
      event.preventDefault();
      input.focus();
      input.select();
    }
  });
  if (input.value) {
    search(); // a browser that comes back fills the field in again
  }
}
