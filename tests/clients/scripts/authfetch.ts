// What authfetch.ts does in Node, step by step, against the server behind a gate. It ends with "done".
import assert from "node:assert/strict";
import { authFetch, memory } from "../../../docs/examples/authfetch.ts";

const server = process.argv[2];
const gate = async (what: string) => (await fetch(`${server}/gate/${what}`)).text();
const refreshes = async () => Number(await gate("refreshes"));
let ended = 0;
const kept = new Map<string, string>();
const auth = authFetch({ url: `${server}/graphql`, storage: memory(kept), onSignedOut: () => ended++ });

async function ask(query: string, variables = {}, using = auth.fetch) {
  const response = await using(`${server}/graphql`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as any;
}
const enter = (field: string, input: string) => `mutation {
  ${field}(input: { ${input} }) { tokens { accessToken refreshToken expiresIn } userErrors { code } }
}`;
const me = async () => (await ask("{ me { email } }")).data.me?.email;
const three = (of: () => Promise<unknown>) => Promise.all([of(), of(), of()]);
const steps: Record<string, () => Promise<void>> = {
  async "nobody is signed in: no token, no error"() {
    assert.equal(await me(), undefined);
    assert.equal(await auth.tokens(), null);
  },
  async "signs up"() {
    const { data } = await ask(enter("register", `email: "ada@example.com", password: "correct horse battery"`));
    await auth.save(data.register.tokens);
    assert.equal(await me(), "ada@example.com");
    assert.equal(await refreshes(), 0);
  },
  async "three queries at once after the end: one refresh"() {
    await gate("forward");
    assert.deepEqual(await three(me), Array(3).fill("ada@example.com"));
    assert.equal(await refreshes(), 1);
  },
  async "a GET, and a request of one's own, are repeated"() {
    await gate("forward");
    const answer = await auth.fetch(`${server}/graphql?query=${encodeURIComponent("{ me { email } }")}`);
    assert.equal(((await answer.json()) as any).data.me.email, "ada@example.com");
    await gate("forward");
    const body = JSON.stringify({ query: `mutation { updateMe(input: { name: "Ada" }) { user { name } } }` });
    const headers = { "Content-Type": "application/json" };
    const changed = await auth.fetch(new Request(`${server}/graphql`, { method: "POST", headers, body }));
    assert.equal(((await changed.json()) as any).data.updateMe.user.name, "Ada");
    assert.equal(await refreshes(), 2);
  },
  async "shortly before the end: one refresh, and no request is refused"() {
    const now = Date.now;
    Date.now = () => now() + 6000;
    assert.deepEqual(await three(me), Array(3).fill("ada@example.com"));
    Date.now = now;
    assert.equal(await refreshes(), 1);
  },
  async "a server that is busy, shortly before the end: the token that still holds is used"() {
    const now = Date.now;
    Date.now = () => now() + 12_000;
    await gate("busy");
    assert.equal(await me(), "ada@example.com");
    Date.now = now;
    assert.equal(await refreshes(), 1);
  },
  async "a refresh that fails is no sign-out, and the next one goes through"() {
    for (const how of ["busy", "lose", "lose"]) {
      await gate("forward");
      await gate(how);
      await assert.rejects(me());
      assert.equal(await refreshes(), 1, how);
      assert.deepEqual(await three(me), Array(3).fill("ada@example.com"), how);
      assert.equal(await refreshes(), 1, how);
    }
    assert.equal(ended, 0);
  },
  async "without a network nothing is lost"() {
    await gate("forward");
    await gate("cut?on");
    await assert.rejects(me());
    await gate("cut?off");
    assert.equal(await me(), "ada@example.com");
    assert.equal(ended, 0);
    await refreshes();
  },
  async "no other server gets the token"() {
    const other = `${server.replace("127.0.0.1", "localhost")}/gate/echo`;
    assert.equal(await (await auth.fetch(other)).text(), "");
    assert.match(await (await auth.fetch(`${server}/gate/echo`)).text(), /^Bearer ey/);
  },
  async "a 401 of a backend is repeated with its body"() {
    await gate("forward");
    const answer = await auth.fetch(`${server}/gate/backend`, { method: "POST", body: "a body" });
    assert.equal(await answer.text(), "a body");
    assert.equal(await refreshes(), 1);
  },
  async "who gives up waiting stops no refresh of others"() {
    await gate("forward");
    await gate("slow?on");
    const leaves = auth.fetch(`${server}/gate/backend`, { signal: AbortSignal.timeout(150) });
    const stays = me();
    await assert.rejects(leaves);
    assert.equal(await stays, "ada@example.com");
    assert.equal(await refreshes(), 1);
  },
  async "who signs out during a refresh stays signed out"() {
    const before = kept.get(`dragoman ${server}/graphql`)!;
    await gate("forward");
    const asked = me();
    await new Promise((go) => setTimeout(go, 150));
    await auth.signOut();
    assert.equal(await asked, undefined);
    assert.equal(await auth.tokens(), null);
    await gate("slow?off");
    const { refreshToken } = JSON.parse(before);
    const again = `mutation { refresh(input: { refreshToken: "${refreshToken}" }) { tokens { expiresIn } } }`;
    const { data } = await ask(again, {}, fetch);
    assert.equal(data.refresh.tokens, null);
    await refreshes();
  },
  async "a session that ends elsewhere: signed out once, for all callers"() {
    const login = enter("login", `email: "ada@example.com", password: "correct horse battery"`);
    const signIn = async () => (await ask(login, {}, fetch)).data.login.tokens;
    await auth.save(await signIn());
    const elsewhere = (await signIn()).accessToken;
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${elsewhere}` };
    const body = JSON.stringify({ query: "mutation { revokeOtherSessions { revokedCount } }" });
    await fetch(`${server}/graphql`, { method: "POST", headers, body });
    const answers = await three(() => ask("{ me { email } }"));
    for (const answer of answers as any[]) assert.equal(answer.errors[0].extensions.code, "UNAUTHENTICATED");
    assert.equal(await refreshes(), 1);
    assert.equal(ended, 1);
    assert.equal(await auth.tokens(), null);
    assert.equal(await me(), undefined);
  },
};
for (const [name, step] of Object.entries(steps)) {
  await step().catch((error) => {
    console.error(`${name}:`, error);
    process.exit(1);
  });
}
console.log("done");
