"use strict";
// What the documentation can do beside being read: filter, and show where one is. Everything is there without it.

const narrow = matchMedia("(max-width: 900px)");

// The list of APIs closes as menus do.
const apis = document.querySelector("details.switch");
if (apis) {
  document.addEventListener("click", (event) => {
    if (!apis.contains(event.target)) {
      apis.open = false;
    }
  });
  apis.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      apis.open = false;
      apis.querySelector("summary").focus();
    }
  });
}

const menu = document.querySelector("details.menu");
if (menu) {
  const fit = () => { menu.open = !narrow.matches; };
  fit();
  narrow.addEventListener("change", fit);
  menu.addEventListener("click", (event) => {
    if (narrow.matches && event.target.closest("a")) {
      menu.open = false;
    }
  });
}

const filter = document.getElementById("filter");
if (filter) {
  const found = document.getElementById("found");
  const articles = [...document.querySelectorAll("article[data-search]")];
  const all = document.querySelectorAll("[data-search]");
  filter.parentElement.hidden = false;
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const element of all) {
      element.hidden = !words.every((word) => element.dataset.search.includes(word));
    }
    const left = articles.filter((article) => !article.hidden).length;
    document.getElementById("nothing").hidden = left > 0;
    found.textContent = words.length > 0 ? `${left} of ${articles.length}` : "";
  };
  filter.addEventListener("input", apply);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      filter.value = "";
      apply();
      filter.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target !== filter) {
      event.preventDefault();
      filter.focus();
    }
  });
  apply(); // a browser that comes back fills the field in again

  const links = new Map([...document.querySelectorAll(".menu li a")].map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      seen[entry.isIntersecting ? "add" : "delete"](entry.target);
    }
    const first = articles.find((article) => seen.has(article));
    for (const [id, a] of links) {
      a.toggleAttribute("aria-current", first?.id === id);
    }
    const current = first && links.get(first.id);
    if (current && !narrow.matches) {
      const nav = current.closest("nav");
      const box = nav.getBoundingClientRect();
      const own = current.getBoundingClientRect();
      if (own.top < box.top || own.bottom > box.bottom) {
        nav.scrollTop += own.top - box.top - box.height / 2;
      }
    }
  }, { rootMargin: "-72px 0px -60% 0px" });
  articles.forEach((article) => watch.observe(article));
}

// On paper everything is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((element) => { element.open = true; });
});
addEventListener("afterprint", () => closed.forEach((element) => { element.open = false; }));
