// #region use
import { initGraphQLTada } from "gql.tada";
import { client } from "../graphql-request.ts";
import type { introspection } from "./introspection.d.ts";
import type { JSONObject } from "./json.ts";

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { DateTime: string; JSONObject: JSONObject };
}>();

const Me = graphql(`query Me { me { id email createdAt metadata status } }`);

export const me = async () => (await client.request(Me)).me;
// #endregion
