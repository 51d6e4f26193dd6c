// #region auth
import { authFetch } from "../authfetch.ts";

export const url = "http://localhost:8080/graphql";
export const auth = authFetch({ url, storage: localStorage, onSignedOut: () => console.log("signed out") });
// #endregion
