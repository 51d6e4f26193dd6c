// #region environment
import { Environment, Network, RecordSource, Store } from "relay-runtime";
import { auth, url } from "../auth.ts";

export const newEnvironment = () => new Environment({ // a new one when somebody signs in or out
  store: new Store(new RecordSource()),
  network: Network.create(async ({ text: query }, variables) => {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ query, variables });
    return (await auth.fetch(url, { method: "POST", headers, body })).json();
  }),
});
// #endregion
