import { type FormEvent, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { Client, Provider, cacheExchange, fetchExchange, gql, useMutation, useQuery } from "urql";
import { authFetch } from "../../authfetch.ts";

const url = document.querySelector<HTMLMetaElement>("meta[name=dragoman]")!.content;

// #region client
const auth = authFetch({ url, storage: localStorage, onSignedOut: () => dispatchEvent(new Event("person")) });
const newClient = () => new Client({
  url,
  fetch: auth.fetch,
  preferGetMethod: false, // a GET without a token needs a header more
  exchanges: [cacheExchange, fetchExchange],
});

// Root gives every person a client of their own, so that nobody sees what the last one saw.
function Root() {
  const [person, setPerson] = useState(0);
  const client = useMemo(newClient, [person]);
  useEffect(() => addEventListener("person", () => setPerson((n) => n + 1)), []);
  return <Provider value={client}><h1>urql</h1><App /></Provider>;
}
// #endregion

const ME = gql`query Me { me { id email } }`;
const SESSIONS = gql`query Sessions { sessions { id device { name } } }`;
const CREDENTIAL = gql`query Credential { currentCredential { kind } }`;

const LOGIN = gql`
  mutation Login($input: LoginInput!) {
    login(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
  }`;
const REGISTER = gql`
  mutation Register($input: RegisterInput!) {
    register(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
  }`;

function SignIn() {
  const [, login] = useMutation(LOGIN);
  const [, register] = useMutation(REGISTER);
  const [wrong, setWrong] = useState("");
  async function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const input = Object.fromEntries(new FormData(event.currentTarget));
    const first = (event.nativeEvent as SubmitEvent).submitter?.getAttribute("name") === "register";
    const { data, error } = await (first ? register : login)({ input });
    if (error) return setWrong(error.message);
    const { tokens, userErrors } = data.login ?? data.register;
    if (!tokens) return setWrong(userErrors[0]?.message ?? "Open the link in the mail that was sent to you.");
    await auth.save(tokens);
    dispatchEvent(new Event("person"));
  }
  return (
    <form id="sign-in" onSubmit={enter}>
      <label>Email <input name="email" type="email" autoComplete="username" required /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>
      <button name="login">Sign in</button>
      <button name="register" className="plain">Create an account</button>
      <p id="status" role="status">{wrong}</p>
    </form>
  );
}

function Account({ email, again }: { email: string; again: () => void }) {
  const [sessions, sessionsAgain] = useQuery({ query: SESSIONS });
  const [credential, credentialAgain] = useQuery({ query: CREDENTIAL });
  const fresh = { requestPolicy: "network-only" as const };
  return (
    <section id="account">
      <p>
        You are signed in as <strong id="email">{email}</strong> by{" "}
        <span id="kind">{credential.data?.currentCredential?.kind}</span>.
      </p>
      <ul id="sessions" aria-label="Your sessions">
        {sessions.data?.sessions?.map((one: any) => <li key={one.id}>{one.device.name}</li>)}
      </ul>
      <button
        id="again" className="plain"
        onClick={() => [again, () => sessionsAgain(fresh), () => credentialAgain(fresh)].forEach((ask) => ask())}
      >Ask again</button>
      <button id="sign-out" onClick={() => auth.signOut().finally(() => dispatchEvent(new Event("person")))}>
        Sign out
      </button>
    </section>
  );
}

function App() {
  const [{ data, error }, again] = useQuery({ query: ME });
  if (error) return <p role="status">{error.message}</p>;
  if (!data) return <p>…</p>;
  return data.me ? <Account email={data.me.email} again={() => again({ requestPolicy: "network-only" })} /> : <SignIn />;
}

createRoot(document.getElementById("app")!).render(<Root />);
