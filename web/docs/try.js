"use strict";
// "Try it": sends an example to this server, as it is or as somebody edited it, and shows the answer.
//
// The rules of this file: values and tokens live in memory, never in storage or in the address of the page; a request goes to
// this server alone, so to the origin of this page and below its base; a token goes where the example has one and nowhere else; answers are shown as text.
{
  const values = new Map(); // what the gaps of examples stand for, by name; "" names the slot for credentials
  const listeners = []; // of the fields for values
  const form = document.getElementById("try-form");
  const keeps = JSON.parse(document.querySelector("[data-keeps]")?.dataset.keeps ?? "{}");

  // What a browser sends by itself, and lets no page say.
  const forbidden = /^(cookie|host|origin|referer|user-agent|connection|content-length|date|expect|te|trailer|transfer-encoding|upgrade|via|accept-encoding|(sec|proxy)-.*)$/i;
  const token = /^(eyJ[\w-]+\.[\w-]+\.[\w-]+|st1\.\S+)$/;

  const valueOf = (gap) => (gap.credential && values.get("")) || values.get(gap.name) || "";

  function learn(name, value) {
    if (value && values.get(name) !== value) {
      values.set(name, value);
      listeners.forEach((told) => told());
    }
  }

  // filled puts the values of the gaps into a text, each as the place needs it.
  function filled(text, gaps, as = (value) => value) {
    return gaps.reduce((out, gap) => out.replaceAll(`{${gap.name}}`, () => as(valueOf(gap))), text);
  }

  const asJSON = (value) => JSON.stringify(value).slice(1, -1);
  const named = (text, gaps) => gaps.filter((gap) => text.includes(`{${gap.name}}`));
  const empty = (text, gaps) => named(text, gaps).find((gap) => !valueOf(gap));

  // quoted writes a text for a POSIX shell. A gap is a variable in double quotes, so no token gets into the command.
  function quoted(text, gaps) {
    if (/^[A-Za-z0-9_%+=:,./@-]+$/.test(text)) return text;
    const one = (part) => (part === "" ? "" : `'${part.replaceAll("'", "'\\''")}'`);
    let out = one(text);
    for (const gap of gaps) {
      out = out.replaceAll(`{${gap.name}}`, `'"$${gap.name}"'`);
    }
    return out.replace(/^''(?=.)/, "").replace(/(?<=.)''$/, "") || "''";
  }

  const lines = (text) => text.split("\n").filter((line) => line.trim() !== "");
  const pair = (line, mark) => {
    const at = line.indexOf(mark);
    return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
  };

  // body is what the fields of a form say, before the gaps are filled.
  function bodyOf(fields, example) {
    if (example.kind !== "graphql") {
      return fields.body.value;
    }
    const variables = fields.variables.value.trim();
    return JSON.stringify({ query: fields.query.value, ...(variables && { variables: JSON.parse(variables) }) });
  }

  function commandOf(fields, example) {
    const gaps = example.gaps ?? [];
    let out = "curl";
    if (example.method !== (example.kind ? "POST" : "GET")) out += ` -X ${example.method}`;
    out += ` ${quoted(location.origin + fields.target.value.trim(), gaps)}`;
    const headers = lines(fields.headers.value);
    for (const header of headers) out += ` \\\n  -H ${quoted(header.trim(), gaps)}`;
    if (example.kind === "form") {
      for (const line of lines(fields.body.value)) {
        const [name, value] = pair(line, "=");
        out += ` \\\n  --data-urlencode ${quoted(`${encodeURIComponent(name)}=${value}`, gaps)}`;
      }
    } else if (example.kind) {
      if (!headers.some((line) => /^content-type\s*:/i.test(line.trim()))) out += " \\\n  -H Content-Type:";
      out += ` \\\n  --data-raw ${quoted(bodyOf(fields, example), gaps)}`;
    }
    return out;
  }

  // requestOf makes the request, or throws an error for people.
  function requestOf(fields, example, base) {
    const gaps = example.gaps ?? [];
    const target = fields.target.value.trim();
    const url = new URL(filled(target, gaps, encodeURIComponent), location.origin);
    if (!target.startsWith("/") || url.origin !== location.origin || !url.pathname.startsWith(base)) {
      const begins = base === "/" ? "one slash" : base;
      throw new Error(`The path begins with ${begins}: requests go to this server alone.`);
    }
    const headers = new Headers();
    for (const line of lines(fields.headers.value)) {
      const [name, value] = pair(line, ":");
      if (!line.includes(":")) throw new Error(`A header is written Name: value, and this is not: ${line}`);
      if (empty(value, gaps)) continue; // without a value for a credential the call is one without a credential
      headers.append(name.trim(), filled(value.trim(), gaps));
    }
    let text;
    try {
      text = example.kind ? bodyOf(fields, example) : "";
    } catch (error) {
      throw new Error(`The variables are not JSON: ${error.message}`);
    }
    const missing = empty(target, gaps) ?? empty(text, gaps);
    if (missing) {
      throw new Error(`Give a value for ${missing.name} first: the steps of the example say where it comes from.`);
    }
    const cookies = fields.cookies.checked;
    const request = { method: example.method, headers, credentials: cookies ? "same-origin" : "omit", cache: "no-store", redirect: "manual" };
    if (example.kind === "form") {
      request.body = new URLSearchParams(lines(text).map((line) => pair(line, "=").map((part) => filled(part, gaps))));
    } else if (example.kind && example.method !== "GET") {
      const whole = filled(text, gaps, example.kind === "raw" ? undefined : asJSON);
      request.body = new Blob([whole]); // a blob without a type sends no Content-Type but that of the headers
    }
    return [url, request];
  }

  // at follows a jq expression that is a path; undefined for any other.
  function at(value, expression) {
    const steps = expression.replace(/^\.(?=\[|$)/, "").replaceAll(/\s*\|\s*/g, "");
    if (!/^(\.\w+|\["[^"]+"\]|\[\d+\])*$/.test(steps)) return undefined;
    for (const [, name, quotedName, index] of steps.matchAll(/\.(\w+)|\["([^"]+)"\]|\[(\d+)\]/g)) {
      value = value?.[name ?? quotedName ?? Number(index)];
    }
    return typeof value === "number" ? String(value) : value;
  }

  // tokenIn finds the token of a sign-in: the one that a name calls access, else the first that is no refresh token.
  function tokenIn(value, name = "") {
    if (typeof value === "string") {
      return token.test(value) && !/refresh|device/i.test(name) ? { value, sure: /access|session/i.test(name) } : null;
    }
    const inner = Object.entries(value ?? {}).map(([key, part]) => (typeof part === "object" || typeof part === "string"
      ? tokenIn(part, Array.isArray(value) ? name : key) : null)).filter(Boolean);
    return inner.find((found) => found.sure) ?? inner[0] ?? null;
  }

  // remember takes what an answer gives for the next examples. A token fills the slot only where the request had none:
  // an answer to somebody signed in may hold words of others, who must not put theirs there.
  function remember(example, answer, body, anonymous) {
    if (answer.status >= 300) return;
    const call = `${example.method} ${example.target.split("?")[0]}`;
    for (const keep of keeps[call] ?? []) {
      const value = keep.header ? answer.headers.get(keep.header) : at(body, keep.from);
      if (typeof value === "string") learn(keep.name, value);
    }
    if (!anonymous) return;
    const bearer = [...answer.headers.values()].find((value) => token.test(value));
    const found = tokenIn(body)?.value ?? bearer;
    if (found) learn("", found);
  }

  // ---- The form -----------------------------------------------------------------------------------------------------

  function field(gap) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    label.append(gap.credential ? `Token (${gap.name}), in memory until you leave this page` : gap.name, input);
    Object.assign(input, { type: "text", autocomplete: "off", spellcheck: false, className: "secret" });
    const show = () => { input.value = valueOf(gap); };
    show();
    listeners.push(() => document.activeElement !== input && show());
    input.addEventListener("input", () => {
      values.set(gap.credential ? "" : gap.name, input.value.trim().replace(/^Bearer\s+/i, ""));
      listeners.forEach((told) => told());
    });
    return label;
  }

  // signIn fills the slot by the operation login: each operation has a page of its own, and no page keeps a token for another.
  async function signIn(element, fields, example) {
    const problem = element.querySelector(".problem");
    const body = {
      query: "mutation ($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { message } } }",
      variables: { input: { email: fields.email.value.trim(), password: fields.password.value } },
    };
    problem.hidden = true;
    try {
      const answer = await (await fetch(example.target, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), credentials: "omit", cache: "no-store",
      })).json();
      const login = answer.data?.login;
      if (!login?.tokens) throw new Error((login?.userErrors[0] ?? answer.errors?.[0])?.message ?? "There was no answer.");
      learn("", login.tokens.accessToken);
      element.querySelector(".enter").open = false;
      element.querySelector("[type=submit]").focus();
    } catch (error) {
      problem.textContent = `Nobody was signed in: ${error.message}`;
      problem.hidden = false;
    }
    fields.password.value = "";
  }

  function fill(fields, example) {
    fields.target.value = example.target;
    const headers = example.headers ?? [];
    fields.headers.value = headers.filter((line) => !forbidden.test(pair(line, ":")[0])).join("\n");
    fields.body.value = example.body ?? "";
    fields.query.value = example.query ?? "";
    fields.variables.value = example.variables ?? "";
    fields.cookies.checked = headers.some((line) => /^cookie:/i.test(line));
    for (const area of [fields.headers, fields.body, fields.query, fields.variables]) {
      area.rows = Math.min(16, Math.max(2, area.value.split("\n").length));
    }
  }

  function show(panel, answer, text, took) {
    const [status, about] = panel.querySelectorAll(".bar b, .bar i");
    status.textContent = answer.type === "opaqueredirect" ? "redirect" : String(answer.status);
    status.className = answer.status >= 400 ? "bad" : answer.status >= 200 && answer.status < 300 ? "good" : "moved";
    about.textContent = `${answer.statusText} in ${took} ms`.trim();
    let body = text;
    try {
      body = JSON.stringify(JSON.parse(text), null, 2);
    } catch { /* it is no JSON, and is shown as it is */ }
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const [content, others] = panel.querySelectorAll("code");
    content.textContent = answer.type === "opaqueredirect"
      ? "The server answers with a redirect. A browser hides it from pages: the curl command shows it." : body || "without a body";
    others.textContent = headers;
    panel.hidden = false;
  }

  async function send(element, fields, example) {
    const problem = element.querySelector(".problem");
    const button = element.querySelector("[type=submit]");
    problem.hidden = true;
    button.disabled = true;
    try {
      const [url, request] = requestOf(fields, example, element.dataset.base);
      const began = performance.now();
      const answer = await fetch(url, request);
      const text = await answer.text();
      show(element.querySelector(".got"), answer, text, Math.round(performance.now() - began));
      let body = null;
      try {
        body = JSON.parse(text);
      } catch { /* it is no JSON, and holds no values to keep */ }
      const anonymous = request.credentials === "omit" && !request.headers.has("Authorization") && !request.headers.has("X-API-Key");
      remember(example, answer, body, anonymous);
    } catch (error) {
      problem.textContent = error instanceof TypeError ? `It was not sent: ${error.message}` : error.message;
      problem.hidden = false;
    }
    button.disabled = false;
  }

  function open(place, example) {
    const element = form.content.cloneNode(true).querySelector("form");
    const fields = element.elements;
    element.querySelector(".method").textContent = example.method;
    element.querySelector(".method").classList.add(example.method);
    element.querySelector(".gaps").append(...(example.gaps ?? []).map(field));
    for (const [name, shown] of [["body", example.kind && example.kind !== "graphql"], ["query", example.kind === "graphql"],
      ["variables", example.kind === "graphql"]]) {
      fields[name].closest("label").hidden = !shown;
    }
    if (example.kind === "form") fields.body.previousElementSibling.textContent = "Form: name=value, one a line";
    const steps = place.querySelector(":scope > details.before, :scope .example > details.before");
    element.querySelector(".first").hidden = !steps;
    if (steps) steps.open = true;
    const own = (example.headers ?? []).map((line) => pair(line, ":")[0]).filter((name) => forbidden.test(name));
    const note = element.querySelector(".forbidden");
    note.hidden = own.length === 0;
    note.textContent = `The browser says ${own.join(" and ")} by itself, and lets no page do it: ` +
      "what it keeps for this server is sent where the box is ticked.";
    const enter = element.querySelector(".enter");
    enter.hidden = example.kind !== "graphql" || !example.gaps?.length;
    enter.querySelector("button").addEventListener("click", () => signIn(element, fields, example));
    enter.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input")) {
        event.preventDefault(); // it would send the example
        signIn(element, fields, example);
      }
    });
    fill(fields, example);
    const code = place.querySelector(":scope > .command code, :scope .example > .command code");
    const before = code?.textContent;
    element.addEventListener("input", () => {
      if (!code) return;
      try {
        code.textContent = commandOf(fields, example);
      } catch { /* variables that are no JSON yet */ }
    });
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      send(element, fields, example);
    });
    element.querySelector(".again").addEventListener("click", () => {
      fill(fields, example);
      if (code) code.textContent = before;
    });
    return element;
  }

  for (const button of form ? document.querySelectorAll("button.try-it") : []) {
    const place = button.closest("[data-try]");
    let element = null;
    button.hidden = false;
    button.addEventListener("click", () => {
      if (element) {
        element.hidden = !element.hidden;
      } else {
        element = open(place, JSON.parse(place.dataset.try));
        button.closest(".trying").append(element);
      }
      button.setAttribute("aria-expanded", String(!element.hidden));
      if (!element.hidden) element.querySelector("input, textarea").focus({ preventScroll: true });
    });
  }
}
