// #region devices
import { graphql } from "relay-runtime";

export const devices = graphql`
  query devicesQuery($first: Int!, $after: String) {
    me { id email createdAt metadata }
    ...devices_page @arguments(first: $first, after: $after)
  }
`;

// usePaginationFragment(page, …) in a component
export const page = graphql`
  fragment devices_page on Query
  @refetchable(queryName: "devicesPageQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 20 }, after: { type: "String" }) {
    sessionConnection(first: $first, after: $after) @connection(key: "devices_page_sessionConnection") {
      edges { node { id createdAt device { name } } }
    }
  }
`;

// every object has a global id, so useRefetchableFragment can ask for one alone
export const one = graphql`
  fragment devices_one on Session @refetchable(queryName: "devicesOneQuery") {
    updatedAt
    ipAddress
  }
`;
// #endregion
