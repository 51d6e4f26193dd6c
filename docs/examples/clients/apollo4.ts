// #region links
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { from, mergeMap } from "rxjs";
import { auth, url } from "./auth.ts";

const withToken = new SetContextLink(async ({ headers }) => {
  const now = await auth.tokens();
  return { headers: { ...headers, ...(now && { Authorization: `Bearer ${now.accessToken}` }) } };
});
const onExpiry = new ErrorLink(({ error, operation, forward }) => {
  const expired = CombinedGraphQLErrors.is(error) && error.errors.some((e) => e.extensions?.code === "UNAUTHENTICATED");
  const used = operation.getContext().headers?.Authorization?.slice("Bearer ".length);
  if (expired && used) return from(auth.refresh(used)).pipe(mergeMap(() => forward(operation)));
});
export const client = new ApolloClient({
  link: ApolloLink.from([onExpiry, withToken, new HttpLink({ uri: url })]),
  cache: new InMemoryCache(),
});
// #endregion
