// The playground: GraphiQL with a menu of examples, a person who signs in, and one slot for the bearer token.
//
// The rules of this file: tokens, passwords and tabs live in memory only, never in storage, and what the slot shows is what
// is sent. With "Cookies" the server's own HttpOnly cookies are sent instead, which no script of a page can read. Nothing here needs eval, inline script or inline style, which the Content-Security-Policy refuses.
(() => {
  "use strict";

  const { endpoint, examples } = document.body.dataset;
  const $ = (id) => document.getElementById(id);
  const refreshPlaceholder = "{{refreshToken}}";
  const opened = 3; // examples that have a tab from the start; the menu has all
  const signIn = "mutation SignIn($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken } userErrors { message } } }";
  const trial = "mutation TrialAccount($input: RegisterInput!) { register(input: $input) { tokens { accessToken refreshToken } userErrors { message } } }";
  const renew = "mutation RefreshSession($input: RefreshInput!) { refresh(input: $input) { tokens { accessToken refreshToken } userErrors { message } } }";
  const signOut = "mutation SignOut { logout { userErrors { message } } }";
  const whoAmI = "query WhoAmI { currentCredential { kind } me { id email } }";

  // GraphiQL's dialogs and menus lock scrolling with a <style> element, which the Content-Security-Policy refuses. This
  // page never scrolls, so the element is swapped for one without effect, and the policy stays whole.
  const createElement = document.createElement.bind(document);
  document.createElement = (name, options) => createElement(name === "style" ? "template" : name, options);

  // ---- The slot -----------------------------------------------------------------------------------------------------

  let refreshToken = ""; // of the last sign-in or refresh
  let slotVersion = 0; // counts changes of the slot, so that late answers about an old token are dropped

  const slotToken = () => $("token").value.trim().replace(/^Bearer\s+/i, "");

  const byCookie = () => $("cookies").checked;

  function setStatus(state, text) {
    $("status").dataset.state = state;
    $("status").textContent = text;
    $("status").title = text;
  }

  // fillSlot puts a token into the slot, "" to empty it; the refresh token always belongs to the same sign-in.
  function fillSlot(token, refresh) {
    $("token").value = token;
    refreshToken = refresh;
    return slotChanged();
  }

  // slotChanged asks the server what the slot is worth, and says so.
  async function slotChanged() {
    const version = ++slotVersion;
    showChoices();
    if (!slotToken() && !byCookie()) {
      setStatus("none", "anonymous");
      return;
    }
    setStatus("checking", "checking …");
    let answer;
    try {
      answer = (await post({ query: whoAmI, operationName: "WhoAmI" })).answer;
    } catch (error) {
      answer = { errors: [{ message: error.message }] };
    }
    if (version === slotVersion) setStatus(...worth(answer));
  }

  // showChoices keeps the buttons in step with what they can do.
  function showChoices() {
    $("refresh").disabled = byCookie() || !refreshToken;
    $("sign-out").disabled = !byCookie() && !slotToken();
    $("slot").hidden = byCookie();
    $("hint").hidden = !byCookie();
  }

  // worth reads the answer to whoAmI. An API key may be good and yet not read the profile.
  function worth({ data, errors }) {
    const key = data?.currentCredential?.kind === "API_KEY" ? " (API key)" : "";
    if (data?.me) return ["good", `signed in as ${data.me.email ?? data.me.id}${key}`];
    if (data?.currentCredential) return ["good", `token accepted${key}`];
    if (data && !errors) return ["none", "anonymous"];
    const refusal = errors?.find((e) => e.extensions?.code === "UNAUTHENTICATED");
    const what = byCookie() ? "cookie" : "token";
    if (refusal) return ["bad", `${what} not accepted: ${refusal.message}`];
    return ["bad", `${what} not checked: ${errors?.[0]?.message ?? "no answer"}`];
  }

  // ---- Requests -----------------------------------------------------------------------------------------------------

  // post sends one request with the slot's token, unless the tab's own headers name another Authorization. Cookies stay
  // behind, but where "Cookies" is on: they would make the answer depend on something that the page does not show.
  async function post(body, tabHeaders = {}) {
    const headers = new Headers({
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json",
    });
    for (const [name, value] of Object.entries(tabHeaders)) headers.set(name, value);
    const fromSlot = !byCookie() && slotToken() !== "" && !headers.has("Authorization");
    if (fromSlot) headers.set("Authorization", `Bearer ${slotToken()}`);
    const version = slotVersion;
    const response = await fetch(endpoint, {
      method: "POST", headers, body: JSON.stringify(body), credentials: byCookie() ? "same-origin" : "omit", cache: "no-store",
      redirect: "error",
    });
    const challenge = response.headers.get("WWW-Authenticate") ?? "";
    const refused = fromSlot && version === slotVersion && challenge.includes("invalid_token");
    return { answer: await readAnswer(response), refused };
  }

  async function readAnswer(response) {
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(`HTTP ${response.status} without a GraphQL answer: ${text.slice(0, 200)}`);
    }
  }

  // withRefreshToken puts the remembered refresh token where the variables hold the placeholder.
  function withRefreshToken(value) {
    if (value === refreshPlaceholder) {
      if (!refreshToken) throw new Error("No refresh token is remembered: run Register or Login with tokenDelivery BODY first.");
      return refreshToken;
    }
    if (Array.isArray(value)) return value.map(withRefreshToken);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withRefreshToken(inner)]));
  }

  // learn keeps the slot in step with what an answer did: tokens fill it, the end of the session empties it. It looks at the shape of
  // the payloads for tokens, so that aliases work too.
  function learn(data) {
    // Cookies are out of a script's sight, so whatever a mutation did to them, the server is asked.
    if (byCookie()) return Object.values(data ?? {}).some((payload) => payload?.userErrors) && slotChanged();
    for (const payload of Object.values(data ?? {})) {
      const tokens = payload?.tokens;
      const token = tokens?.sessionToken || tokens?.accessToken;
      // A change of the account gives to a session token an access token beside it, which does not replace it.
      if (token && token === tokens.accessToken && !tokens.refreshToken && slotToken().startsWith("st1.")) return;
      if (token) return fillSlot(token, tokens.refreshToken ?? "");
    }
    const over = data?.logout ?? data?.deleteAccount;
    if (over?.userErrors?.length === 0) return fillSlot("", "");
  }

  // act runs an operation of the row above the editor, and returns why it had no effect, or "".
  async function act(query, operationName, input) {
    try {
      const { answer } = await post({ query, operationName, variables: input && { input } });
      learn(answer.data);
      const [payload] = Object.values(answer.data ?? {});
      return [...(answer.errors ?? []), ...(payload?.userErrors ?? [])].map((e) => e.message).join(" ");
    } catch (error) {
      return error.message;
    }
  }

  async function fetcher(request, { headers } = {}) {
    const introspecting = request.operationName === "IntrospectionQuery";
    try {
      const body = { ...request, variables: withRefreshToken(request.variables) };
      const { answer, refused } = await post(body, headers);
      if (introspecting) noteIntrospection(answer);
      if (refused) setStatus("bad", "token not accepted: wrong, expired or revoked");
      learn(answer?.data);
      return answer;
    } catch (error) {
      const answer = { errors: [{ message: error.message }] };
      if (introspecting) noteIntrospection(answer);
      return answer;
    }
  }

  // noteIntrospection says above the editor why documentation and completion are missing, where they are.
  function noteIntrospection(answer) {
    const missing = !answer?.data?.__schema;
    $("notice").hidden = !missing;
    $("notice").textContent = missing
      ? "No documentation and completion: the server did not hand out its schema, which is how it answers while introspection " +
        `is off. Operations run all the same. (${answer?.errors?.[0]?.message ?? "empty answer"})`
      : "";
  }

  // ---- The page -----------------------------------------------------------------------------------------------------

  // memoryStorage is what GraphiQL takes for localStorage. Tabs hold passwords in their variables and tokens in their
  // headers, so none of it may outlive the page.
  function memoryStorage() {
    const items = new Map();
    return {
      get length() { return items.size; },
      getItem: (key) => items.get(key) ?? null,
      setItem: (key, value) => void items.set(key, String(value)),
      removeItem: (key) => void items.delete(key),
      clear: () => items.clear(),
    };
  }

  function showToken(shown) {
    $("token").classList.toggle("masked", !shown);
    $("reveal").setAttribute("aria-pressed", String(shown));
    $("reveal").textContent = shown ? "Hide" : "Show";
  }

  function wireSlot() {
    $("token").value = ""; // some browsers bring back what stood there before a reload
    $("cookies").checked = false;
    // A token that was written by hand is not of the remembered sign-in, so that one's refresh token goes.
    $("token").addEventListener("change", () => fillSlot(slotToken(), ""));
    $("reveal").addEventListener("click", () => showToken($("token").classList.contains("masked")));
    $("clear").addEventListener("click", () => { showToken(false); fillSlot("", ""); });
    $("cookies").addEventListener("change", slotChanged);
    showChoices();
  }

  const delivery = () => (byCookie() ? "COOKIE" : "BODY");

  function wirePerson() {
    const enter = async (refusal) => {
      $("refusal").textContent = refusal;
      if (!refusal) {
        $("sign-in").reset();
        closeMenu($("person"));
      }
    };
    $("sign-in").addEventListener("submit", async (event) => {
      event.preventDefault();
      const input = { email: $("email").value.trim(), password: $("password").value, tokenDelivery: delivery() };
      enter(await act(signIn, "SignIn", input));
    });
    $("trial").addEventListener("click", async () => {
      const [name, password] = [crypto.randomUUID().slice(0, 8), crypto.randomUUID()];
      enter(await act(trial, "TrialAccount", { email: `trial-${name}@example.com`, password, tokenDelivery: delivery() }));
    });
    $("refresh").addEventListener("click", async () => {
      const refusal = await act(renew, "RefreshSession", { refreshToken });
      if (refusal) setStatus("bad", `not refreshed: ${refusal}`);
    });
    $("sign-out").addEventListener("click", async () => {
      const refusal = await act(signOut, "SignOut");
      if (refusal) setStatus("bad", `not signed out: ${refusal}`);
    });
  }

  function closeMenu(menu) {
    const inside = menu.contains(document.activeElement);
    menu.open = false;
    if (inside) menu.querySelector("summary").focus();
  }

  // wireMenus closes a menu by Escape, and by a click or a focus elsewhere.
  function wireMenus() {
    const menus = [...document.querySelectorAll("details.menu")];
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") menus.filter((menu) => menu.open).forEach(closeMenu);
    });
    for (const kind of ["pointerdown", "focusin"]) {
      document.addEventListener(kind, (event) => {
        for (const menu of menus) if (menu.open && !menu.contains(event.target)) menu.open = false;
      });
    }
  }

  // ---- The examples -------------------------------------------------------------------------------------------------

  const operationsOf = (example) => [...example.query.matchAll(/^(?:query|mutation) (\w+)/gm)].map((match) => match[1]);

  function fillMenu(list) {
    for (const example of list) {
      const [first, ...others] = operationsOf(example);
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.title = first;
      button.textContent = first;
      if (others.length > 0) {
        const more = document.createElement("small");
        more.textContent = others.join(", ");
        button.append(more);
      }
      button.addEventListener("click", () => openExample(first, example));
      const item = document.createElement("li");
      item.append(button);
      $("examples").querySelector("ul").append(item);
    }
  }

  const tabs = () => [...document.querySelectorAll(".graphiql-tab-button")];
  const editor = (selector) => document.querySelector(`${selector} .CodeMirror`)?.CodeMirror;
  const nextFrame = () => new Promise((done) => requestAnimationFrame(done));

  // openExample shows the tab of an example, or a new one. GraphiQL has no call for this, so its own button is pressed and
  // its editors are filled.
  async function openExample(title, example) {
    closeMenu($("examples"));
    const open = tabs().find((tab) => tab.textContent === title);
    if (open) return open.click();
    const before = tabs().length;
    document.querySelector(".graphiql-tab-add").click();
    for (let frames = 0; tabs().length === before && frames < 120; frames++) await nextFrame();
    editor(".graphiql-query-editor").focus(); // first: later it would close a menu that is opened meanwhile
    // GraphiQL fills a new tab a moment after it shows it, and would write over the example.
    const isActive = () => tabs()[before]?.closest(".graphiql-tab-active");
    for (let frames = 0, held = 0; held < 10 && frames < 300 && isActive(); frames++) {
      const [variables, query] = [editor("[aria-label=Variables]"), editor(".graphiql-query-editor")];
      if (!variables || !query) return; // another panel was opened meanwhile
      held = query.getValue() === example.query && variables.getValue() === example.variables ? held + 1 : 0;
      if (held === 0) {
        variables.setValue(example.variables);
        query.setValue(example.query);
      }
      await nextFrame();
    }
  }

  // nameEditors says what each editor is for to whoever does not see it. GraphiQL makes them one after the other, and
  // others for each plugin.
  function nameEditors() {
    const names = { Variables: "Variables, as JSON", Headers: "Headers, as JSON", "Query Editor": "Operations, in GraphQL" };
    const name = () => {
      for (const area of $("graphiql").querySelectorAll(".CodeMirror textarea:not([aria-label])")) {
        const { CodeMirror: editor } = area.closest(".CodeMirror");
        const inHeaders = editor.options.mode === "application/json" || editor.options.mode?.name === "json";
        const section = area.closest("section[aria-label]")?.ariaLabel;
        editor.setOption("screenReaderLabel", inHeaders ? names.Headers : names[section] ?? "The answer");
        editor.getScrollerElement().tabIndex = 0; // the arrow keys scroll it
      }
    };
    new MutationObserver(name).observe($("graphiql"), { childList: true, subtree: true });
  }

  async function start() {
    nameEditors();
    wireSlot();
    wirePerson();
    wireMenus();
    const list = await (await fetch(examples)).json();
    fillMenu(list);
    const defaultTabs = list.slice(0, opened);
    ReactDOM.createRoot($("graphiql")).render(React.createElement(GraphiQL, {
      fetcher,
      defaultTabs,
      variables: defaultTabs[0].variables, // GraphiQL does not take those of the first tab from defaultTabs
      storage: memoryStorage(),
      shouldPersistHeaders: false,
      defaultEditorToolsVisibility: "variables",
    }));
  }

  start().catch((error) => {
    $("notice").hidden = false;
    $("notice").textContent = `The playground did not start: ${error.message}`;
  });
})();
