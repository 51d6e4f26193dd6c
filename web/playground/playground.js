// The playground: GraphiQL with example tabs and one slot for the bearer token.
//
// The rules of this file: tokens, passwords and tabs live in memory only, never in storage or cookies, and what the slot
// shows is what is sent. Nothing here needs eval, inline script or inline style, which the Content-Security-Policy refuses.
(() => {
  "use strict";

  const { endpoint, examples } = document.body.dataset;
  const $ = (id) => document.getElementById(id);
  const refreshPlaceholder = "{{refreshToken}}";
  const whoAmI = "query WhoAmI { currentCredential { kind } me { id email } }";

  // GraphiQL's dialogs and menus lock scrolling with a <style> element, which the Content-Security-Policy refuses. This
  // page never scrolls, so the element is swapped for one without effect, and the policy stays whole.
  const createElement = document.createElement.bind(document);
  document.createElement = (name, options) => createElement(name === "style" ? "template" : name, options);

  // ---- The slot -----------------------------------------------------------------------------------------------------

  let refreshToken = ""; // of the last sign-in or refresh
  let slotVersion = 0; // counts changes of the slot, so that late answers about an old token are dropped

  const slotToken = () => $("token").value.trim().replace(/^Bearer\s+/i, "");

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
    if (!slotToken()) {
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

  // worth reads the answer to whoAmI. An API key may be good and yet not read the profile.
  function worth({ data, errors }) {
    const key = data?.currentCredential?.kind === "API_KEY" ? " (API key)" : "";
    if (data?.me) return ["good", `signed in as ${data.me.email ?? data.me.id}${key}`];
    if (data?.currentCredential) return ["good", `token accepted${key}`];
    const refusal = errors?.find((e) => e.extensions?.code === "UNAUTHENTICATED");
    if (refusal) return ["bad", `token not accepted: ${refusal.message}`];
    return ["bad", `token not checked: ${errors?.[0]?.message ?? "no answer"}`];
  }

  // ---- Requests -----------------------------------------------------------------------------------------------------

  // post sends one request with the slot's token, unless the tab's own headers name another Authorization. Cookies stay
  // behind: they would make the answer depend on something that the page does not show.
  async function post(body, tabHeaders = {}) {
    const headers = new Headers({
      "Content-Type": "application/json",
      Accept: "application/graphql-response+json, application/json",
    });
    for (const [name, value] of Object.entries(tabHeaders)) headers.set(name, value);
    const fromSlot = slotToken() !== "" && !headers.has("Authorization");
    if (fromSlot) headers.set("Authorization", `Bearer ${slotToken()}`);
    const version = slotVersion;
    const response = await fetch(endpoint, {
      method: "POST", headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store", redirect: "error",
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
    // A token that was written by hand is not of the remembered sign-in, so that one's refresh token goes.
    $("token").addEventListener("change", () => fillSlot(slotToken(), ""));
    $("reveal").addEventListener("click", () => showToken($("token").classList.contains("masked")));
    $("clear").addEventListener("click", () => { showToken(false); fillSlot("", ""); });
  }

  async function start() {
    wireSlot();
    const defaultTabs = await (await fetch(examples)).json();
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
