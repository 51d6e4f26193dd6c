package pages

import "github.com/dragoman-auth/dragoman/internal/gqlhttp"

// accountPage is a page that mails link to. account serves it.
type accountPage struct {
	Name     string // the last segment of the path
	Heading  string
	Lead     string // shown if the link has a token
	CodeLead string // shown otherwise
	Action   string // the label of the button
	Password bool   // the form asks for a new password
	AsksKeys bool   // the form asks whether the API keys end, and the answer lists those that still work
	Code     bool   // the form accepts an email address and a code; otherwise it accepts a pasted link
	SignedIn bool   // the form needs the session cookie instead of a link
	Chooses  bool   // the form asks for a password where the link makes an account of a registration
	Mails    bool   // the form asks for an address, to which the mail of the page Follow is sent
	Follow   string // the page that takes the code of that mail
	Ask      string // the page that mails what this one needs, "" for none
	Empties  bool   // a take-over, or a registration, may leave out what the account says of its person

	DoneTitle string
	doneText  string // {email} stands for the address of the account

	mutation string // has one field, with the alias outcome
	document *gqlhttp.Document
	constant map[string]any // the variables that do not come from the form
}

const verifyEmail = `mutation VerifyEmail($token: String!, $email: String, $allowConfirmed: Boolean!) {
  outcome: verifyEmail(input: {token: $token, email: $email, allowConfirmed: $allowConfirmed}) {
    email returnTo userErrors { code message retryAfterSeconds }
  }
}`

// verifyOwn is verifyEmail for a link that may make an account of a registration.
const verifyOwn = `mutation VerifyOwn(
  $token: String!, $email: String, $allowConfirmed: Boolean!, $newPassword: String, $startEmpty: Boolean!
) {
  outcome: verifyEmail(input: {
    token: $token, email: $email, allowConfirmed: $allowConfirmed, newPassword: $newPassword, startEmpty: $startEmpty
  }) {
    email usernameTaken returnTo userErrors { code message field retryAfterSeconds }
  }
}`

// accountPages returns the pages, one for each kind of link in mails.
func accountPages() []*accountPage {
	return []*accountPage{
		askSignInPage(), askResetPage(), askVerifyPage(), verifyEmailPage(), confirmEmailPage(), resetPasswordPage(),
		signInPage(), choosePasswordPage(), cancelEmailChangePage(),
	}
}

// repeatable makes it no error to press the button twice or to open the link again.
func repeatable() map[string]any { return map[string]any{"allowConfirmed": true} }

func verifyEmailPage() *accountPage {
	return &accountPage{
		Name:     "verify-email",
		Ask:      "mail-confirmation",
		Heading:  "Confirm your email address",
		Lead:     "Press the button, and your address is confirmed.",
		CodeLead: "Enter your address and the code of the mail.",
		Action:   "Confirm address",
		Code:     true,
		Chooses:  true,
		Empties:  true,

		DoneTitle: "Your address is confirmed",
		doneText:  "{email} is confirmed. You can close this page.",

		mutation: verifyOwn,
		constant: repeatable(),
	}
}

func confirmEmailPage() *accountPage {
	return &accountPage{
		Name:     "confirm-email",
		Heading:  "Confirm your new email address",
		Lead:     "Press the button, and this address is the one of your account.",
		CodeLead: "Please open the link of the mail again, or paste it here. Its code counts where you are signed in.",
		Action:   "Confirm address",

		DoneTitle: "Your new address counts",
		doneText:  "{email} is the address of your account now. You can close this page.",

		mutation: verifyEmail,
		constant: repeatable(),
	}
}

func resetPasswordPage() *accountPage {
	return &accountPage{
		Name:     "reset-password",
		Ask:      "forgot-password",
		Heading:  "Choose a new password",
		Lead:     "It replaces the one that you have.",
		CodeLead: "Enter your address, the code of the mail, and a new password.",
		Action:   "Save password",
		Password: true,
		AsksKeys: true,
		Code:     true,
		Empties:  true,

		DoneTitle: "Your new password counts",
		doneText: "{email} has a new password, and everybody who was signed in is signed out. " +
			"Please sign in again where you use your account.",

		mutation: `mutation ResetPassword(
  $token: String!, $email: String, $password: String!, $startEmpty: Boolean!, $revokeKeys: Boolean!
) {
  outcome: resetPassword(input: {
    token: $token, email: $email, newPassword: $password, startEmpty: $startEmpty, revokeApiKeys: $revokeKeys
  }) {
    user { email } takeOver { passwordMissing username name metadata } apiKeys { name lastUsedAt }
    returnTo userErrors { code message retryAfterSeconds }
  }
}`,
	}
}

func signInPage() *accountPage {
	return &accountPage{
		Name:     "sign-in",
		Ask:      "mail-sign-in",
		Heading:  "Sign in",
		Lead:     "Press the button, and you are signed in in this browser.",
		CodeLead: "Enter your address and the code of the mail.",
		Action:   "Sign in",
		Code:     true,
		Empties:  true,

		DoneTitle: "You are signed in",
		doneText:  "You are signed in as {email}. You can go back to where you came from.",

		mutation: `mutation SignIn($token: String!, $email: String, $startEmpty: Boolean!) {
  outcome: loginWithMagicLink(input: {token: $token, email: $email, startEmpty: $startEmpty, tokenDelivery: COOKIE}) {
    user { email } takeOver { passwordMissing username name metadata } returnTo
    challenge { token methods enrolmentRequired }
    userErrors { code message retryAfterSeconds }
  }
}`,
	}
}

// choosePasswordPage follows a sign-in by mail that took an account over: it has no password then.
func choosePasswordPage() *accountPage {
	return &accountPage{
		Name:     "choose-password",
		Heading:  "Choose a password",
		CodeLead: "For the account that you are signed in to in this browser.",
		Action:   "Save password",
		Password: true,
		SignedIn: true,

		DoneTitle: "Your new password counts",
		doneText:  "{email} has a new password.",

		mutation: `mutation ChoosePassword($password: String!) {
  outcome: changePassword(input: {newPassword: $password}) {
    user { email } userErrors { code message retryAfterSeconds }
  }
}`,
	}
}

func cancelEmailChangePage() *accountPage {
	return &accountPage{
		Name:    "cancel-email-change",
		Heading: "Keep your email address",
		Lead: "Press the button, and the change of your address is taken back. " +
			"If it took place already, everybody who is signed in is signed out.",
		CodeLead: "Please open the link of the mail again, or paste it here.",
		Action:   "Take the change back",

		DoneTitle: "The change is taken back",
		doneText: "{email} stays the address of your account. " +
			"If it was not you who asked for the change, please choose a new password now.",

		mutation: `mutation CancelEmailChange($token: String!) {
  outcome: cancelEmailChange(input: {token: $token}) {
    email userErrors { code message retryAfterSeconds }
  }
}`,
	}
}
