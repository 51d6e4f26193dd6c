"use strict";
// What the documentation can do beside being read: show where one is. Everything is there without it.

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

const articles = [...document.querySelectorAll("article[id]")];
if (articles.length > 0) {
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
