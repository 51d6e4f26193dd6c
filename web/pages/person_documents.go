package pages

// personDocuments are the documents of the pages of people with a password, by the names of their fields.
func personDocuments() map[string]string {
	const (
		errs      = ` userErrors { code message field retryAfterSeconds } } }`
		challenge = ` challenge { token methods enrolmentRequired }`
		someone   = ` user { email username }`
	)
	return map[string]string{
		"login": `mutation SignInByPassword($email: String, $username: String, $password: String!) {
  outcome: login(input: {email: $email, username: $username, password: $password, tokenDelivery: COOKIE}) {` +
			someone + challenge + errs,
		"register": `mutation SignUp(
  $email: String!, $password: String!, $username: String, $name: String, $returnTo: String
) {
  outcome: register(input: {
    email: $email, password: $password, username: $username, name: $name, returnTo: $returnTo, tokenDelivery: COOKIE
  }) { confirmationRequired` + someone + challenge + errs,
		"verifyMfa": `mutation Answer(
  $challengeToken: String!, $method: MfaMethod!, $code: String!, $rememberDevice: Boolean!
) {
  outcome: verifyMfa(input: {
    challengeToken: $challengeToken, method: $method, code: $code, rememberDevice: $rememberDevice, tokenDelivery: ` +
			`COOKIE
  }) {` + someone + errs,
		"setupTotp": `mutation SetUp($challengeToken: String, $name: String! = "Authenticator app") {
  outcome: setupTotp(input: {challengeToken: $challengeToken, name: $name}) {
    enrolment { id secret qrCodeDataUri }` + errs,
		"confirmTotp": `mutation Confirm($id: ID!, $code: String!, $challengeToken: String) {
  outcome: confirmTotp(input: {id: $id, code: $code, challengeToken: $challengeToken, tokenDelivery: COOKIE}) {
    recoveryCodes` + someone + errs,
		"sudo": `mutation Prove($password: String, $code: String, $method: MfaMethod) {
  outcome: sudo(input: {password: $password, code: $code, method: $method}) {` + errs,
		"updateAuthenticator": `mutation Rename($id: ID!, $name: String!) {
  outcome: updateAuthenticator(input: {id: $id, name: $name}) {` + errs,
		"removeAuthenticator": `mutation Remove($id: ID!) {
  outcome: removeAuthenticator(input: {id: $id}) {` + errs,
		"regenerateRecoveryCodes": `mutation NewCodes { outcome: regenerateRecoveryCodes { recoveryCodes` + errs,
		"forgetDevices":           `mutation Forget { outcome: forgetDevices {` + errs,
		"revokeSession":           `mutation End($id: ID!) { outcome: revokeSession(input: {id: $id}) {` + errs,
		"revokeOtherSessions":     `mutation EndOthers { outcome: revokeOtherSessions {` + errs,
		"logout":                  `mutation SignOut { outcome: logout {` + errs,
		"security": `{
  me {
    email username
    mfa {
      enabled required recoveryCodesRemaining guessesRemaining authenticators { id name createdAt lastUsedAt }
    }
  }
  sessions { id isCurrent ipAddress createdAt device { name } }
}`,
	}
}
