// #region client
import { GraphQLClient, gql } from "graphql-request";
import { auth, url } from "./auth.ts";

export const client = new GraphQLClient(url, { fetch: auth.fetch });

export const me = () => client.request<{ me: { email: string } | null }>(gql`{ me { email } }`);
// #endregion
