// A client for Dragoman in a web page. The session is an HttpOnly cookie: the browser keeps it and sends it, and no
// script can read it. The page holds no token.

const server = document.querySelector("meta[name=dragoman]").content;

// #region ask
// ask runs a GraphQL document. It gives the data, or throws an Error that people can read, with the code of the error.
async function ask(query, variables) {
  const response = await fetch(`${server}/graphql`, {
    method: "POST",
    credentials: "include", // without this the browser leaves the cookie out, and drops the one that is set
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw Object.assign(new Error(errors[0].message), { code: errors[0].extensions?.code });
  for (const payload of Object.values(data)) {
    if (payload?.userErrors?.length) throw new Error(payload.userErrors[0].message);
  }
  return data;
}
// #endregion

// #region sign-in
const enter = (field, type) => `mutation ($input: ${type}!) {
  ${field}(input: $input) { user { email } userErrors { message } }
}`;

export const register = (email, password) =>
  ask(enter("register", "RegisterInput"), { input: { email, password, tokenDelivery: "COOKIE" } });

export const login = (email, password) =>
  ask(enter("login", "LoginInput"), { input: { email, password, tokenDelivery: "COOKIE" } });

export const logout = () => ask(`mutation { logout { userErrors { message } } }`);
// #endregion

// whoAmI gives the person, or null when nobody is signed in. UNAUTHENTICATED says that the browser sent the cookie of a
// session that has ended; the same answer clears the cookie.
export const whoAmI = async () => {
  try {
    return (await ask(`{ me { email } }`)).me;
  } catch (error) {
    if (error.code === "UNAUTHENTICATED") return null;
    throw error;
  }
};

export const sessions = async () => (await ask(`{ sessions { isCurrent device { name } } }`)).sessions;
