// #region use
import { client } from "../graphql-request.ts";
import { graphql } from "./gql/gql.ts";

const Me = graphql(`query Me { me { id email createdAt metadata status } }`);

export const me = async () => (await client.request(Me)).me;
// #endregion
