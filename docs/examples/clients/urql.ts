// #region exchange
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { authExchange } from "@urql/exchange-auth";
import { auth, url } from "./auth.ts";

const signedIn = authExchange(async (utils) => {
  let now = await auth.tokens();
  return {
    addAuthToOperation: (operation) =>
      now ? utils.appendHeaders(operation, { Authorization: `Bearer ${now.accessToken}` }) : operation,
    willAuthError: () => now !== null && now.until - Date.now() < 5000,
    didAuthError: (error) => error.graphQLErrors.some((e) => e.extensions?.code === "UNAUTHENTICATED"),
    refreshAuth: async () => { now = now && (await auth.refresh(now.accessToken)); },
  };
});

// newClient makes the client of a person: make a new one when somebody signs in or out.
export const newClient = () => new Client({
  url,
  preferGetMethod: false, // a GET without a token needs a header more
  exchanges: [cacheExchange, signedIn, fetchExchange],
});
// #endregion
