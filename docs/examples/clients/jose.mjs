// #region check
import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = "http://localhost:8080"; // DRAGOMAN_PUBLIC_URL; DRAGOMAN_ISSUER and DRAGOMAN_AUDIENCE where they are set
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));

// caller gives the claims of an access token: sub is the account, sid the session, roles what it may. It throws for
// every token that does not count.
export async function caller(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience: issuer,
    typ: "at+jwt", // a refresh token is none
    algorithms: ["ES256", "EdDSA", "RS256"],
    clockTolerance: 5,
    requiredClaims: ["sub", "exp"],
  });
  return payload;
}
// #endregion
