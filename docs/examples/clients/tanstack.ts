// #region query
import { QueryClient } from "@tanstack/react-query";
import { client, me } from "./graphql-request.ts";

export const queryClient = new QueryClient();
export const meQuery = { queryKey: ["me"], queryFn: me }; // useQuery(meQuery) in a component
export const devicesQuery = {
  queryKey: ["devices"],
  queryFn: () => client.request<{ sessions: { device: { name: string } }[] }>("{ sessions { device { name } } }"),
};

// startOver is for after a sign-in and a sign-out: nobody sees what the last person saw.
export const startOver = () => queryClient.resetQueries();
// #endregion
