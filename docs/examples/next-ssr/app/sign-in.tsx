"use client";
import { useActionState } from "react";
import { enter } from "./actions";

export function SignIn() {
  const [wrong, submit] = useActionState(enter, "");
  return (
    <form id="sign-in" action={submit}>
      <label>Email <input name="email" type="email" autoComplete="username" required /></label>
      <label>Password <input name="password" type="password" autoComplete="current-password" required /></label>
      <button name="login">Sign in</button>
      <button name="register" className="plain">Create an account</button>
      <p id="status" role="status">{wrong}</p>
    </form>
  );
}
