import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { ApolloProvider, useApolloClient, useMutation, useQuery } from "@apollo/client/react";
import { type FormEvent, useState } from "react";
import { createRoot } from "react-dom/client";
import { authFetch } from "../../authfetch.ts";

const url = document.querySelector<HTMLMetaElement>("meta[name=dragoman]")!.content;

// #region client
const auth = authFetch({ url, storage: localStorage, onSignedOut: () => startOver() });
const client = new ApolloClient({
  link: new HttpLink({ uri: url, fetch: auth.fetch }),
  cache: new InMemoryCache(),
});

// startOver forgets what the last person saw, and asks who is here now.
async function startOver() {
  await client.clearStore();
  await client.refetchQueries({ include: ["Me"] });
}
// #endregion

const ME = gql`query Me { me { id email } }`;
const SESSIONS = gql`query Sessions { sessions { id device { name } } }`;
const CREDENTIAL = gql`query Credential { currentCredential { kind } }`;

// #region sign-in
const LOGIN = gql`
  mutation Login($input: LoginInput!) {
    login(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
  }`;
const REGISTER = gql`
  mutation Register($input: RegisterInput!) {
    register(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
  }`;

function SignIn() {
  const [login] = useMutation<any>(LOGIN);
  const [register] = useMutation<any>(REGISTER);
  const [wrong, setWrong] = useState("");
  async function enter(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const input = Object.fromEntries(new FormData(event.currentTarget));
    const first = (event.nativeEvent as SubmitEvent).submitter?.getAttribute("name") === "register";
    const { data } = await (first ? register : login)({ variables: { input } });
    const { tokens, userErrors } = data.login ?? data.register;
    if (!tokens) return setWrong(userErrors[0]?.message ?? "Open the link in the mail that was sent to you.");
    await auth.save(tokens);
    await startOver();
  }
  return (
    <form id="sign-in" onSubmit={(event) => enter(event).catch((error) => setWrong(error.message))}>
      <label>Email <input name="email" type="email" autoComplete="username" required /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>
      <button name="login">Sign in</button>
      <button name="register" className="plain">Create an account</button>
      <p id="status" role="status">{wrong}</p>
    </form>
  );
}
// #endregion

function Account({ email }: { email: string }) {
  const client = useApolloClient();
  const sessions = useQuery<any>(SESSIONS).data?.sessions ?? [];
  const kind = useQuery<any>(CREDENTIAL).data?.currentCredential?.kind;
  return (
    <section id="account">
      <p>You are signed in as <strong id="email">{email}</strong> by <span id="kind">{kind}</span>.</p>
      <ul id="sessions" aria-label="Your sessions">
        {sessions.map((one: any) => <li key={one.id}>{one.device.name}</li>)}
      </ul>
      <button id="again" className="plain" onClick={() => client.refetchQueries({ include: "active" })}>Ask again</button>
      <button id="sign-out" onClick={() => auth.signOut().finally(startOver)}>Sign out</button>
    </section>
  );
}

function App() {
  const { data, error, loading } = useQuery<any>(ME, { notifyOnNetworkStatusChange: false });
  if (loading && !data) return <p>…</p>;
  if (error) return <p role="status">{error.message}</p>;
  return data?.me ? <Account email={data.me.email} /> : <SignIn />;
}

createRoot(document.getElementById("app")!).render(
  <ApolloProvider client={client}><h1>Apollo Client</h1><App /></ApolloProvider>,
);
