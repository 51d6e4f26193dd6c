import { cookies, headers } from "next/headers";

const url = process.env.DRAGOMAN_URL ?? "http://localhost:8080/graphql";

// #region ask
// ask runs a GraphQL document on the server, for the person whose request is being answered: with their session, and
// with the address and the browser that they use, which limits and the list of devices are about.
export async function ask(query: string, variables: object = {}) {
  const [jar, request] = await Promise.all([cookies(), headers()]);
  const sent = new Headers({ "Content-Type": "application/json" });
  const session = jar.get("session");
  if (session) sent.set("Authorization", `Bearer ${session.value}`);
  const device = jar.get("device");
  if (device) sent.set("X-Device-Token", device.value);
  for (const name of ["X-Forwarded-For", "User-Agent", "Accept-Language"]) {
    const value = request.get(name);
    if (value) sent.set(name, value);
  }
  const body = JSON.stringify({ query, variables });
  const response = await fetch(url, { method: "POST", headers: sent, body, cache: "no-store" });
  return response.json();
}
// #endregion
