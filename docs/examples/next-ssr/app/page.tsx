import { signOut } from "./actions";
import { ask } from "./dragoman";
import { SignIn } from "./sign-in";

// #region page
// The page is made on the server: three queries at once. A session token does not run out, so nothing is refreshed.
export default async function Page() {
  const [{ data: { me } }, { data: { sessions } }, { data: { currentCredential } }] = await Promise.all([
    ask("{ me { email } }"),
    ask("{ sessions { id ipAddress device { name } } }"),
    ask("{ currentCredential { kind } }"),
  ]);
  if (!me) return <SignIn />; // nobody is signed in, or the session has ended
  return (
    <section id="account">
      <p>You are signed in as <strong id="email">{me.email}</strong> by <span id="kind">{currentCredential.kind}</span>.</p>
      <ul id="sessions" aria-label="Your sessions">
        {sessions.map((one: { id: string; ipAddress: string; device: { name: string } }) => (
          <li key={one.id}>{one.device.name}, {one.ipAddress}</li>
        ))}
      </ul>
      <a id="again" href="/">Ask again</a>
      <form action={signOut}><button id="sign-out">Sign out</button></form>
    </section>
  );
}
// #endregion
