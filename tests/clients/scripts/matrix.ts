// Signs in by each client and asks three things at once when the access token has ended. One refresh serves them.
import { parse } from "graphql";
import assert from "node:assert/strict";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { commitMutation, fetchQuery } from "relay-runtime";
import { client as apollo } from "apollo"; // of the version that is tested
import { auth } from "../../../docs/examples/clients/auth.ts";
import { me as codegen } from "../../../docs/examples/clients/codegen/use.ts";
import { client as plain } from "../../../docs/examples/clients/graphql-request.ts";
import { caller } from "../../../docs/examples/clients/jose.mjs";
import { App } from "../../../docs/examples/clients/react.tsx";
import devicesQuery from "../../../docs/examples/clients/relay/__generated__/devicesQuery.graphql.ts";
import devicesOneQuery from "../../../docs/examples/clients/relay/__generated__/devicesOneQuery.graphql.ts";
import loginMutation from "../../../docs/examples/clients/relay/__generated__/loginMutation.graphql.ts";
import { newEnvironment } from "../../../docs/examples/clients/relay/environment.ts";
import { me as tada } from "../../../docs/examples/clients/tada/use.ts";
import { devicesQuery as devices, meQuery, queryClient, startOver } from "../../../docs/examples/clients/tanstack.ts";
import { newClient } from "../../../docs/examples/clients/urql.ts";

const server = process.argv[2];
const gate = async (what: string) => (await fetch(`${server}/gate/${what}`)).text();
const input = { email: "ada@example.com", password: process.env.PASSWORD! };
const me = "query Me { me { email } }";
const sessions = "query Sessions { sessions { device { name } } }";
const credential = "query Credential { currentCredential { kind } }";
const login = `mutation Login($input: LoginInput!) {
  login(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
}`;
type Client = { signIn(): Promise<any>; three(): Promise<any>[]; fresh?(): unknown };

let urql = newClient();
const urqlAsks = (query: string) => urql.query(query, {}, { requestPolicy: "network-only" }).toPromise()
  .then(({ data, error }) => { if (error) throw error; return data; });
const apolloAsks = (query: string) => apollo.query({ query: parse(query), fetchPolicy: "network-only" })
  .then(({ data }: any) => data);
let relay = newEnvironment();
const relayAsks = (first: number) => fetchQuery<any>(relay, devicesQuery, { first }).toPromise();

const clients: Record<string, Client> = {
  "Apollo Client": {
    signIn: async () => ((await apollo.mutate({ mutation: parse(login), variables: { input } })).data as any).login.tokens,
    three: () => [apolloAsks(me), apolloAsks(sessions), apolloAsks(credential)],
    fresh: () => apollo.clearStore(),
  },
  urql: {
    signIn: async () => (await urql.mutation(login, { input }).toPromise()).data.login.tokens,
    three: () => [urqlAsks(me), urqlAsks(sessions), urqlAsks(credential)],
    fresh: () => (urql = newClient()),
  },
  "graphql-request": {
    signIn: async () => (await plain.request<any>(login, { input })).login.tokens,
    three: () => [plain.request(me), plain.request(sessions), plain.request(credential)],
  },
  "TanStack Query": {
    signIn: async () => (await plain.request<any>(login, { input })).login.tokens,
    three: () => [queryClient.fetchQuery(meQuery), queryClient.fetchQuery(devices), plain.request(credential)],
    fresh: startOver,
  },
  Relay: {
    signIn: () => new Promise((onCompleted, onError) => commitMutation<any>(relay, {
      mutation: loginMutation, variables: { input }, onCompleted: ({ login }) => onCompleted(login.tokens), onError,
    })),
    three: () => [relayAsks(3), relayAsks(2), relayAsks(1)],
    fresh: () => (relay = newEnvironment()),
  },
  codegen: {
    signIn: async () => (await plain.request<any>(login, { input })).login.tokens,
    three: () => [codegen(), codegen(), codegen()].map((one) => one.then((me) => ({ me }))),
  },
  "gql.tada": {
    signIn: async () => (await plain.request<any>(login, { input })).login.tokens,
    three: () => [tada(), tada(), tada()].map((one) => one.then((me) => ({ me }))),
  },
};
for (const [name, client] of Object.entries(clients)) {
  const goes = async (refreshes: number) => {
    const [first] = await Promise.all(client.three());
    assert.equal(first.me?.email, input.email, name);
    assert.equal(Number(await gate("refreshes")), refreshes, name);
  };
  const tokens = await client.signIn();
  await auth.save(tokens);
  await client.fresh?.();
  await goes(0);
  if (name === "Relay") { // any object by its global id
    const { sessions: [{ id }] } = await plain.request<any>("{ sessions { id } }");
    assert.equal((await fetchQuery<any>(relay, devicesOneQuery, { id }).toPromise()).node.__id, id);
  }
  for (let round = 0; round < 2; round++) {
    await gate("forward");
    await goes(1);
  }
  await auth.signOut();
  await client.fresh?.();
  const [after] = await Promise.allSettled(client.three());
  assert.equal(after.status === "fulfilled" && after.value.me ? "somebody" : "nobody", "nobody", name);
}
assert.match(renderToString(createElement(App)), /^<p>(…|Nobody is signed in\.)<\/p>$/);
const { tokens } = (await plain.request<any>(login, { input })).login;
const claims = await caller(tokens.accessToken);
assert.match(String(claims.sub), /^user_/);
assert.deepEqual(claims.roles, ["user"]);
for (const wrong of ["", tokens.refreshToken, `${tokens.accessToken.slice(0, -4)}AAAA`]) {
  await assert.rejects(caller(wrong));
}
console.log("done");
process.exit(0);
