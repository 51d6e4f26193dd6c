// #region links
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, fromPromise } from "@apollo/client/core";
import { setContext } from "@apollo/client/link/context";
import { onError } from "@apollo/client/link/error";
import { auth, url } from "./auth.ts";

const withToken = setContext(async (_, { headers }) => {
  const now = await auth.tokens();
  return { headers: { ...headers, ...(now && { Authorization: `Bearer ${now.accessToken}` }) } };
});
const onExpiry = onError(({ graphQLErrors, operation, forward }) => {
  const expired = graphQLErrors?.some((e) => e.extensions?.code === "UNAUTHENTICATED");
  const used = operation.getContext().headers?.Authorization?.slice("Bearer ".length);
  if (expired && used) return fromPromise(auth.refresh(used)).flatMap(() => forward(operation));
});
export const client = new ApolloClient({
  link: ApolloLink.from([onExpiry, withToken, new HttpLink({ uri: url })]),
  cache: new InMemoryCache(),
});
// #endregion
