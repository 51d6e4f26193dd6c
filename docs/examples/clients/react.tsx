// #region component
import { QueryClientProvider, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { auth } from "./auth.ts";
import { meQuery, queryClient, startOver } from "./tanstack.ts";

function Me() {
  const { data, error } = useQuery(meQuery);
  useEffect(() => { // another tab signed in or out; a refresh replaces one token by another
    const changed = ({ oldValue, newValue }: StorageEvent) => { if (!oldValue || !newValue) startOver(); };
    addEventListener("storage", changed);
    return () => removeEventListener("storage", changed);
  }, []);
  if (error instanceof Error) return <p role="alert">{error.message}</p>;
  if (!data) return <p>…</p>;
  if (!data.me) return <p>Nobody is signed in.</p>; // your form stands here
  return <p>{data.me.email} <button onClick={() => auth.signOut().finally(startOver)}>Sign out</button></p>;
}

export const App = () => <QueryClientProvider client={queryClient}><Me /></QueryClientProvider>;
// #endregion
