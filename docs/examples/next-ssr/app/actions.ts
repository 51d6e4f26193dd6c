"use server";
import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { ask } from "./dragoman";

// #region sign-in
const day = 24 * 60 * 60;
const cookie = { httpOnly: true, sameSite: "lax", secure: process.env.NODE_ENV === "production", path: "/" } as const;

// enter signs in or up, and keeps the session token where no script of a page can read it. It gives what went wrong.
export async function enter(_: string, form: FormData): Promise<string> {
  const [field, type] = form.has("register") ? ["register", "RegisterInput"] : ["login", "LoginInput"];
  const { data, errors } = await ask(`mutation ($input: ${type}!) { ${field}(input: $input) {
    tokens { sessionToken } deviceToken userErrors { message }
  } }`, { input: { email: form.get("email"), password: form.get("password"), tokenDelivery: "SESSION_TOKEN" } });
  if (errors) return errors[0].message;
  const { tokens, deviceToken, userErrors } = data[field];
  if (!tokens) return userErrors[0]?.message ?? "Open the link in the mail that was sent to you.";
  const jar = await cookies();
  jar.set("session", tokens.sessionToken, { ...cookie, maxAge: 30 * day });
  if (deviceToken) jar.set("device", deviceToken, { ...cookie, maxAge: 180 * day });
  redirect("/");
}

export async function signOut() {
  await ask("mutation { logout { userErrors { code } } }");
  (await cookies()).delete("session");
  redirect("/");
}
// #endregion
