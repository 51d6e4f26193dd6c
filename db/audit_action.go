package db

// Action is what an event of the audit log is about: subject and verb. Done is the name of what happened, in the past
// tense, Failed that of an attempt that did not succeed; "" where none can fail with an event. The names are stable: an
// operator filters by them, and webhooks will be sent for a part of them.
type Action struct{ Done, Failed string }

// The actions that there are.
var (
	ActionLoginSucceeded = Action{"login.succeeded", "login.failed"} // by whatever way in; the methods say which

	ActionRegistrationRequested = Action{"registration.requested", ""} // where the address is confirmed first

	ActionUserCreated     = Action{"user.created", "user.create_failed"} // by the person, or by the actor
	ActionUserImported    = Action{"user.imported", ""}                  // from a file, by the operator
	ActionUserMigrated    = Action{"user.migrated", ""}                  // from the old system, by a sign-in
	ActionUserUpdated     = Action{"user.updated", "user.update_failed"}
	ActionUserSuspended   = Action{"user.suspended", "user.suspend_failed"}
	ActionUserReactivated = Action{"user.reactivated", "user.reactivate_failed"}
	ActionUserDeleted     = Action{"user.deleted", "user.delete_failed"}
	ActionUserUnlocked    = Action{"user.unlocked", "user.unlock_failed"}
	ActionUserExported    = Action{"user.exported", "user.export_failed"} // by the person, who takes their data along

	ActionSessionRefreshed = Action{"session.refreshed", "session.refresh_failed"}
	ActionSessionEnded     = Action{"session.ended", ""} // by its person, who signed out
	ActionSessionRevoked   = Action{"session.revoked", "session.revoke_failed"}
	// by their person, who signed out everywhere
	ActionSessionAllEnded = Action{"session.all_ended", ""}
	// all but the one that asked
	ActionSessionOthersRevoked = Action{"session.others_revoked", "session.others_revoke_failed"}
	ActionSessionAllRevoked    = Action{"session.all_revoked", "session.all_revoke_failed"} // by the actor

	ActionSudoGranted = Action{"sudo.granted", "sudo.failed"}

	// the first factor was right, and the second one is asked for; failed is a wrong second one
	ActionLoginChallenged     = Action{"login.challenged", "login.challenge_failed"}
	ActionMfaEnrolmentStarted = Action{"mfa.enrolment_started", "mfa.enrolment_failed"}
	ActionMfaAdded            = Action{"mfa.added", "mfa.add_failed"}
	ActionMfaRenamed          = Action{"mfa.renamed", "mfa.rename_failed"}
	ActionMfaRemoved          = Action{"mfa.removed", "mfa.remove_failed"}
	ActionMfaReset            = Action{"mfa.reset", "mfa.reset_failed"} // by the actor, or the operator
	// all tries of a challenge, after the right password
	ActionMfaGuessed            = Action{"mfa.guessed", ""}
	ActionMfaClosed             = Action{"mfa.closed", ""} // codes of apps, to devices that are not known
	ActionRecoveryCodesReplaced = Action{"recovery_codes.replaced", "recovery_codes.replace_failed"}
	// those that are asked for no code
	ActionDevicesForgotten = Action{"devices.forgotten", "devices.forget_failed"}

	ActionPasswordChanged = Action{"password.changed", "password.change_failed"}
	// from a file, for an account that was imported without
	ActionPasswordImported       = Action{"password.imported", ""}
	ActionPasswordReset          = Action{"password.reset", "password.reset_failed"}
	ActionPasswordResetRequested = Action{"password.reset_requested", "password.reset_request_failed"}

	ActionEmailVerified              = Action{"email.verified", "email.verify_failed"}
	ActionEmailVerificationRequested = Action{"email.verification_requested", "email.verification_request_failed"}
	ActionEmailChangeRequested       = Action{"email.change_requested", "email.change_failed"}
	ActionEmailChangeCanceled        = Action{"email.change_canceled", "email.change_cancel_failed"}

	ActionPhoneVerified      = Action{"phone.verified", "phone.verify_failed"}
	ActionPhoneRemoved       = Action{"phone.removed", "phone.remove_failed"} // by the person, or by who proved it next
	ActionPhoneCodeRequested = Action{"phone.code_requested", "phone.code_request_failed"}
	ActionLoginCodeRequested = Action{"login_code.requested", "login_code.request_failed"}
	ActionCodesClosed        = Action{"codes.closed", ""} // of an account, after too many wrong ones in a year

	ActionMagicLinkRequested = Action{"magic_link.requested", "magic_link.request_failed"}
	ActionTokenChecked       = Action{"token.checked", "token.check_failed"} // is not recorded; its failure is

	ActionKeyCreated = Action{"api_key.created", "api_key.create_failed"}
	ActionKeyUpdated = Action{"api_key.updated", "api_key.update_failed"}
	ActionKeyRotated = Action{"api_key.rotated", "api_key.rotate_failed"}
	ActionKeyDeleted = Action{"api_key.deleted", "api_key.delete_failed"}

	// is not recorded; its failure says which field was asked for
	ActionAccessGranted = Action{"access.granted", "access.denied"}

	ActionLegacyTokenUsed = Action{"legacy_token.used", "legacy_token.refused"} // of a former system

	ActionMailRetried       = Action{"mail.retried", "mail.retry_failed"}
	ActionMailLimited       = Action{"mail.limited", ""} // over the budget of a mailbox
	ActionSMSSent           = Action{"sms.sent", "sms.failed"}
	ActionSMSLimited        = Action{"sms.limited", ""} // over a limit of a number, a network, a country or of all
	ActionSigningKeyRotated = Action{"signing_key.rotated", ""}
	ActionRestoreFinished   = Action{"restore.finished", ""}
)

// Actions lists them all.
func Actions() []Action {
	return []Action{
		ActionLoginSucceeded, ActionRegistrationRequested, ActionUserCreated, ActionUserImported, ActionUserMigrated,
		ActionUserUpdated,
		ActionUserSuspended, ActionUserReactivated, ActionUserDeleted, ActionUserUnlocked, ActionUserExported,
		ActionSessionRefreshed, ActionSessionEnded,
		ActionSessionRevoked, ActionSessionAllEnded, ActionSessionOthersRevoked, ActionSessionAllRevoked,
		ActionSudoGranted, ActionLoginChallenged, ActionMfaEnrolmentStarted, ActionMfaAdded, ActionMfaRenamed,
		ActionMfaRemoved, ActionMfaReset, ActionMfaGuessed, ActionMfaClosed, ActionRecoveryCodesReplaced,
		ActionDevicesForgotten,
		ActionPasswordChanged, ActionPasswordImported, ActionPasswordReset, ActionPasswordResetRequested,
		ActionEmailVerified, ActionEmailVerificationRequested, ActionEmailChangeRequested, ActionEmailChangeCanceled,
		ActionMagicLinkRequested, ActionTokenChecked, ActionKeyCreated, ActionKeyUpdated,
		ActionKeyRotated, ActionKeyDeleted, ActionAccessGranted, ActionLegacyTokenUsed, ActionMailRetried,
		ActionMailLimited, ActionSMSSent, ActionSMSLimited, ActionPhoneVerified, ActionPhoneRemoved,
		ActionPhoneCodeRequested, ActionLoginCodeRequested, ActionCodesClosed, ActionSigningKeyRotated,
		ActionRestoreFinished,
	}
}
