package pages

import "github.com/dragoman-auth/dragoman/internal/gqlhttp"

// accountPage is one of the pages that links of mails lead to; account serves them.
type accountPage struct {
	Name     string // of the path
	Heading  string
	Lead     string // said when the link brought a token
	CodeLead string // said when it did not
	Action   string // what the button says
	Password bool   // whether it asks for a new password
	Code     bool   // whether address and code do it too; otherwise the link can be pasted

	DoneTitle string
	doneText  string // with {email}

	mutation string // its one field is called outcome
	document *gqlhttp.Document
	constant map[string]any // variables that no form has
}

const verifyEmail = `mutation VerifyEmail($token: String!, $email: String, $allowConfirmed: Boolean!) {
  outcome: verifyEmail(input: {token: $token, email: $email, allowConfirmed: $allowConfirmed}) {
    user { email } userErrors { code message retryAfterSeconds }
  }
}`

// accountPages are the pages, of which a mail names one for each thing that its token is good for.
func accountPages() []*accountPage {
	again := map[string]any{"allowConfirmed": true} // the button pressed twice, or the link opened again, is no mistake
	return []*accountPage{
		{
			Name: "verify-email", Heading: "Confirm your email address",
			Lead:     "Press the button, and your address is confirmed.",
			CodeLead: "Enter your address and the code of the mail.", Action: "Confirm address", Code: true,
			DoneTitle: "Your address is confirmed", doneText: "{email} is confirmed. You can close this page.",
			mutation: verifyEmail, constant: again,
		},
		{
			Name: "confirm-email", Heading: "Confirm your new email address",
			Lead:     "Press the button, and this address is the one of your account.",
			CodeLead: "Enter the new address and the code of the mail.", Action: "Confirm address", Code: true,
			DoneTitle: "Your new address counts", doneText: "{email} is the address of your account now. You can " +
				"close this page.",
			mutation: verifyEmail, constant: again,
		},
		{
			Name: "reset-password", Heading: "Choose a new password", Lead: "It replaces the one that you have.",
			CodeLead: "Enter your address, the code of the mail, and a new password.", Action: "Save password",
			Password: true, Code: true,
			DoneTitle: "Your new password counts",
			doneText: "{email} has a new password, and everybody who was signed in is signed out. Please sign in " +
				"again where you use your account.",
			mutation: `mutation ResetPassword($token: String!, $email: String, $password: String!) {
  outcome: resetPassword(input: {token: $token, email: $email, newPassword: $password}) {
    user { email } userErrors { code message retryAfterSeconds }
  }
}`,
		},
		{
			Name: "sign-in", Heading: "Sign in", Lead: "Press the button, and you are signed in in this browser.",
			CodeLead: "Enter your address and the code of the mail.", Action: "Sign in", Code: true,
			DoneTitle: "You are signed in", doneText: "You are signed in as {email}. You can go back to where you " +
				"came from.",
			mutation: `mutation SignIn($token: String!, $email: String) {
  outcome: loginWithMagicLink(input: {token: $token, email: $email, tokenDelivery: COOKIE}) {
    user { email } userErrors { code message retryAfterSeconds }
  }
}`,
		},
		{
			Name: "cancel-email-change", Heading: "Keep your email address",
			Lead: "Press the button, and the change of your address is taken back. If it took place already, " +
				"everybody who is signed in is signed out.",
			CodeLead: "Please open the link of the mail again, or paste it here.", Action: "Take the change back",
			DoneTitle: "The change is taken back",
			doneText: "{email} stays the address of your account. If it was not you who asked for the change, " +
				"please choose a new password now.",
			mutation: `mutation CancelEmailChange($token: String!) {
  outcome: cancelEmailChange(input: {token: $token}) {
    user { email } userErrors { code message retryAfterSeconds }
  }
}`,
		},
	}
}
