package pages

// The pages that send a mail again, or for the first time, for who has none. What they say is the same whether anybody
// has the address (LG-04).

func askSignInPage() *accountPage {
	return askPage("mail-sign-in", signInPage(), "Sign in by a mail", "Without a password: a mail brings a link and a code.",
		"requestMagicLink(input: {email: $email, returnTo: $returnTo})")
}

func askResetPage() *accountPage {
	return askPage("forgot-password", resetPasswordPage(), "Forgot your password?",
		"A mail brings a link and a code, by which you choose a new one.",
		"requestPasswordReset(input: {email: $email, returnTo: $returnTo})")
}

func askVerifyPage() *accountPage {
	return askPage("mail-confirmation", verifyEmailPage(), "Get the mail to confirm your address again",
		"For an address that you registered and have not confirmed yet.",
		"sendVerificationEmail(input: {email: $email, returnTo: $returnTo})")
}

func askPage(name string, next *accountPage, heading, lead, field string) *accountPage {
	return &accountPage{
		Name: name, Heading: heading, CodeLead: lead, Action: "Send the mail", Mails: true, Follow: next.Name,
		DoneTitle: "Look into your mailbox",
		doneText: "If {email} can have this mail, it is on its way. " +
			"A mailbox gets one of a kind a minute. Nothing has come? Look among the unwanted mails.",
		mutation: "mutation Ask($email: String!, $returnTo: String) { outcome: " + field +
			" { userErrors { code message field retryAfterSeconds } } }",
	}
}
