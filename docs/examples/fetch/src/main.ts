import { authFetch } from "../../authfetch.ts";

const url = document.querySelector<HTMLMetaElement>("meta[name=dragoman]")!.content;

// #region client
const auth = authFetch({ url, storage: localStorage, onSignedOut: () => show() });

// ask runs a GraphQL document. It gives the data, or throws an Error that people can read.
async function ask(query: string, variables = {}) {
  const response = await auth.fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  for (const payload of Object.values<any>(data)) {
    if (payload?.userErrors?.length) throw new Error(payload.userErrors[0].message);
  }
  return data;
}
// #endregion

// #region sign-in
async function enter(field: "login" | "register", email: string, password: string) {
  const type = field === "login" ? "LoginInput" : "RegisterInput";
  const data = await ask(`mutation ($input: ${type}!) { ${field}(input: $input) {
    tokens { accessToken refreshToken expiresIn } userErrors { message }
  } }`, { input: { email, password } });
  if (!data[field].tokens) throw new Error("Open the link in the mail that was sent to you.");
  await auth.save(data[field].tokens);
}
// #endregion

const $ = (id: string) => document.getElementById(id)!;

async function show() {
  const [{ me }, { sessions }, { currentCredential }] = (await auth.tokens())
    ? await Promise.all([
        ask("{ me { email } }"), ask("{ sessions { device { name } } }"), ask("{ currentCredential { kind } }"),
      ])
    : [{ me: null }, { sessions: [] }, { currentCredential: null }];
  $("sign-in").hidden = me !== null;
  $("account").hidden = me === null;
  $("email").textContent = me?.email ?? "";
  $("kind").textContent = currentCredential?.kind ?? "";
  $("sessions").replaceChildren(...sessions.map((session: { device: { name: string } }) => {
    const item = document.createElement("li");
    item.textContent = session.device.name;
    return item;
  }));
}

// act does something, shows what came of it, and says what went wrong.
async function act(something?: () => Promise<unknown>) {
  $("status").textContent = "…";
  let wrong = "";
  await something?.().catch((error: Error) => (wrong = error.message));
  await show().catch((error: Error) => (wrong = error.message));
  $("status").textContent = wrong;
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target as HTMLFormElement;
  const { email, password } = Object.fromEntries(new FormData(form)) as Record<string, string>;
  act(async () => {
    await enter(event.submitter?.getAttribute("name") === "register" ? "register" : "login", email, password);
    form.reset();
  });
});
$("again").addEventListener("click", () => act());
$("sign-out").addEventListener("click", () => act(auth.signOut));
addEventListener("storage", () => act()); // another tab signed in or out
act();
