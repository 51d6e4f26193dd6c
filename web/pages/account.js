"use strict";
// Takes the token out of the address, where others could see it later, and sends the form without leaving the page. The token is
// kept in this script alone. Without the script the form asks for the code of the mail.

const panel = document.getElementById("panel");
const form = panel.querySelector("form");
const byHand = document.getElementById("by-hand");
const lead = document.getElementById("lead");
const problem = document.getElementById("problem");
let token = "";

function take() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) {
    history.replaceState(null, "", location.pathname + location.search);
  }
  if (found && form) {
    token = found;
    lead.textContent = lead.dataset.withToken;
    byHand.hidden = byHand.disabled = true;
    problem.hidden = true;
    (form.querySelector("#choose:enabled #password") ?? form.querySelector("button")).focus();
    look();
  }
}

// Tells whose account the link is about, and what it removes, before anybody presses the button.
async function look() {
  try {
    const body = new URLSearchParams({ look: "1", token });
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body });
    const { account, takes, keeps, makes, asks, returnTo } = (await answer.json()).look ?? {};
    leadHome(returnTo);
    const about = document.getElementById("about");
    if (makes) {
      lead.textContent = makes;
      form.querySelector("button").textContent = "Create account";
    }
    if (asks) {
      ask();
    }
    about.textContent = [account, takes].filter(Boolean).join(" ");
    about.hidden = !about.textContent;
    if (keeps) {
      const kept = document.getElementById("keeps");
      kept.textContent = `What the ${makes ? "registration" : "account"} says of you stays: ${keeps.join(", ")}.`;
      kept.hidden = document.getElementById("empty").hidden = false;
    }
  } catch {
    // The button says what is wrong.
  }
}

function wayBack(url) {
  return Object.assign(document.createElement("a"), { id: "home", href: url, textContent: `Back to ${new URL(url).host}` });
}

// Shows the way back to the application, of the server's list, whatever becomes of the link.
function leadHome(url) {
  if (url) {
    document.getElementById("home")?.remove();
    document.getElementById("ways").prepend(wayBack(url), " ");
    const again = document.getElementById("ask");
    if (again) {
      again.search = new URLSearchParams({ returnTo: url });
    }
  }
}

// Asks for the password of an account that the link makes.
function ask() {
  const choose = document.getElementById("choose");
  choose.hidden = choose.disabled = false;
  form.querySelector("#password").focus();
}

function say(text) {
  problem.textContent = text;
  problem.hidden = false;
}

function done(outcome) {
  const tick = Object.assign(document.createElement("span"), { className: "tick" });
  tick.ariaHidden = "true";
  const title = Object.assign(document.createElement("h1"), { textContent: outcome.title, tabIndex: -1 });
  const text = Object.assign(document.createElement("p"), { className: "lead", textContent: outcome.text });
  panel.replaceChildren(tick, title, text);
  if (outcome.next) {
    const next = document.createElement("p");
    const href = new URL(outcome.next, form.action);
    if (outcome.returnTo) {
      href.searchParams.set("returnTo", outcome.returnTo);
    }
    next.append(Object.assign(document.createElement("a"), { href, textContent: outcome.nextTitle }));
    panel.append(next);
  }
  if (outcome.returnTo) {
    const on = document.createElement("p");
    document.getElementById("home")?.remove();
    on.append(wayBack(outcome.returnTo));
    panel.append(on);
  }
  if (outcome.keys) {
    const list = Object.assign(document.createElement("ul"), { className: "keys" });
    list.append(...outcome.keys.map((key) => Object.assign(document.createElement("li"), { textContent: key })));
    panel.append(Object.assign(document.createElement("p"), { textContent: outcome.keysIntro }), list);
  }
  document.getElementById("ask")?.remove();
  document.title = outcome.title;
  title.focus();
}

// goOn leads to the page that asks for the second factor, by the form that the server describes.
function goOn(fields, returnTo) {
  const next = Object.assign(document.createElement("form"), { method: "post", action: new URL("signin", form.action) });
  for (const [name, value] of Object.entries({ ...fields, returnTo: returnTo ?? "" })) {
    next.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(next);
  next.submit();
}

async function send(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  const body = new URLSearchParams(new FormData(form));
  if (token) {
    body.set("token", token);
  }
  problem.hidden = true;
  if (body.has("repeat") && body.get("repeat") !== body.get("password")) {
    say("The two passwords are not the same.");
    return;
  }
  button.disabled = true;
  button.ariaBusy = "true";
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body });
    const outcome = await answer.json();
    if (outcome.done) {
      token = "";
      if (outcome.returnTo && !outcome.next && form.action.endsWith("/sign-in")) { // of the server's list; who signed in goes on at once
        location.replace(outcome.returnTo);
        return;
      }
      done(outcome);
      return;
    }
    if (outcome.challenge) {
      token = "";
      goOn(outcome.challenge, outcome.returnTo);
      return;
    }
    if (outcome.asks) {
      ask();
    }
    leadHome(outcome.returnTo);
    say(outcome.problem ?? outcome.error ?? "That did not work. Please try again.");
  } catch {
    say("The server can not be reached. Please try again.");
  }
  button.disabled = false;
  button.ariaBusy = null;
}

take();
addEventListener("hashchange", take);
form?.addEventListener("submit", send);
