// #region login
import { graphql } from "relay-runtime";

export const login = graphql`
  mutation loginMutation($input: LoginInput!) {
    login(input: $input) { tokens { accessToken refreshToken expiresIn } userErrors { message } }
  }
`;
// #endregion
