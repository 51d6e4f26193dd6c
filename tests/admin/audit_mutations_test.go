package admin

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	cancelChangeDoc = `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) {
  userErrors { code message field } } }`
	retryMailDoc = `mutation R($input: RetryMailDeliveryInput!) { retryMailDelivery(input: $input) {
  userErrors { code message field } } }`
)

// auditedMutation is a successful call of one mutation and the event that it leaves.
type auditedMutation struct {
	action   string
	document string
	call     auditedCall
}

// auditedCall gives the credential and the variables of a call. who is a new account for each row.
type auditedCall func(t *testing.T, who harness.Account) (credential string, variables map[string]any)

// auditedMutations has a row for every mutation of the schema. root is an administrator.
func auditedMutations(s *harness.Instance, side *harness.Side, root harness.Account) map[string]auditedMutation {
	const other = "other horse battery staple"
	type account = harness.Account
	type input = map[string]any
	fixed := func(credential string, fields ...any) auditedCall {
		return func(*testing.T, account) (string, input) { return credential, harness.InputOf(fields...) }
	}
	own := func(fields ...any) auditedCall {
		return func(_ *testing.T, who account) (string, input) { return who.Access, harness.InputOf(fields...) }
	}
	byEmail := func(_ *testing.T, who account) (string, input) { return "", harness.InputOf("email", who.Email) }
	byRoot := func(fields ...any) auditedCall {
		return func(_ *testing.T, who account) (string, input) {
			return root.Access, harness.InputOf(append(fields, "id", who.ID)...)
		}
	}
	ofKey := func(t *testing.T, who account) (string, input) {
		id, _ := s.NewKey(t, who.Access, nil)
		return who.Access, harness.InputOf("id", id)
	}
	ofApp := func(fields ...any) auditedCall {
		return func(t *testing.T, who account) (string, input) {
			return who.Access, harness.InputOf(append(fields, "id", s.Enrols(t, who.Access).ID)...)
		}
	}
	enrolled := func(t *testing.T, who account) (string, input) {
		s.Enrols(t, who.Access)
		return who.Access, nil
	}
	mailed := func(document string, kind db.MailKind, fields ...any) auditedCall {
		return func(t *testing.T, who account) (string, input) {
			token := s.Mailed(t, document, who.Email, kind).Token
			return "", harness.InputOf(append(fields, "token", token)...)
		}
	}
	return map[string]auditedMutation{
		"register": {
			"user.created", harness.RegisterDoc,
			fixed("", "email", "new@example.com", "password", harness.GoodPass),
		},
		"login": {"login.succeeded", harness.LoginDoc, func(_ *testing.T, who account) (string, input) {
			return "", harness.InputOf("email", who.Email, "password", harness.GoodPass)
		}},
		"refresh": {"session.refreshed", harness.RefreshDoc, func(_ *testing.T, who account) (string, input) {
			return "", input{"token": who.Refresh}
		}},
		"logout": {"session.ended", harness.LogoutDoc, own()},

		"sendVerificationEmail": {"email.verification_requested", harness.SendVerifyDoc, byEmail},
		"verifyEmail": {
			"email.verified", harness.VerifyDoc,
			mailed(harness.SendVerifyDoc, db.MailVerifyEmail),
		},
		"requestPasswordReset": {"password.reset_requested", harness.AskResetDoc, byEmail},
		"resetPassword": {
			"password.reset", harness.ResetDoc,
			mailed(harness.AskResetDoc, db.MailResetPassword, "newPassword", other),
		},
		"requestMagicLink":   {"magic_link.requested", harness.AskMagicDoc, byEmail},
		"loginWithMagicLink": {"login.succeeded", harness.MagicDoc, mailed(harness.AskMagicDoc, db.MailMagicLink)},

		"sendPhoneCode": {
			"phone.code_requested", harness.SendPhoneCodeDoc, own("phone", "+4915550100101"),
		},
		"verifyPhone": {
			"phone.verified", `mutation V($input: VerifyPhoneInput!) { verifyPhone(input: $input) { userErrors { code } } }`,
			func(t *testing.T, who account) (string, input) {
				const phone = "+4915550100102"
				harness.Fine(t, s.GraphQL(t, who.Access, harness.SendPhoneCodeDoc, harness.InputOf("phone", phone)))
				side.MustExec(t, `UPDATE sms SET resolved_at = created_at WHERE phone = '`+phone+`'`) // nothing is sent here
				return who.Access, harness.InputOf("phone", phone, "code", s.CodeTo(t, phone))
			},
		},
		"removePhone": {
			"phone.removed", `mutation { removePhone { userErrors { code } } }`,
			func(t *testing.T, who account) (string, input) {
				side.MustExec(t, `UPDATE users SET phone = '+4915550100103' WHERE email = '`+who.Email+`'`)
				return who.Access, nil
			},
		},
		"requestLoginCode": {"login_code.requested", harness.AskCodeDoc, byEmail},
		"loginWithCode": {
			"login.succeeded", harness.LoginCodeDoc,
			func(t *testing.T, who account) (string, input) {
				code := s.Mailed(t, harness.AskCodeDoc, who.Email, db.MailLoginCode).Code
				return "", harness.InputOf("email", who.Email, "code", code)
			},
		},

		"updateMe":       {"user.updated", harness.UpdateMeDoc, own("name", "Ada")},
		"changePassword": {"password.changed", harness.ChangePasswordDoc, own("newPassword", other)},
		"changeEmail":    {"email.change_requested", harness.ChangeEmailDoc, own("email", "changed@example.com")},
		"cancelEmailChange": {
			"email.change_canceled", cancelChangeDoc,
			func(t *testing.T, who account) (string, input) {
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, who.Email, db.MailVerifyEmail).Token)))
				change := harness.InputOf("email", "moved@example.com")
				harness.Fine(t, s.GraphQL(t, who.Access, harness.ChangeEmailDoc, change))
				confirm := s.Letter(t, "moved@example.com", db.MailConfirmChange).Token
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", confirm)))
				return "", harness.InputOf("token", s.Letter(t, who.Email, db.MailEmailChanged).Token)
			},
		},
		"sudo":          {"sudo.granted", harness.SudoDoc, own("password", harness.GoodPass)},
		"deleteAccount": {"user.deleted", harness.DeleteAccountDoc, own()},
		"exportMyData":  {"user.exported", harness.ExportDoc, own()},

		"revokeSession": {"session.revoked", harness.EndSessionDoc, func(_ *testing.T, who account) (string, input) {
			return who.Access, harness.InputOf("id", who.Session)
		}},
		"revokeOtherSessions": {"session.others_revoked", harness.EndOthersDoc, own()},

		"createApiKey": {"api_key.created", harness.CreateKey, own()},
		"updateApiKey": {"api_key.updated", harness.UpdateKeyDoc, ofKey},
		"rotateApiKey": {"api_key.rotated", harness.RotateKeyDoc, ofKey},
		"deleteApiKey": {"api_key.deleted", harness.DropKeyDoc, ofKey},

		"createUser":  {"user.created", harness.CreateUserDoc, fixed(root.Access, "email", "made@example.com")},
		"updateUser":  {"user.updated", harness.UpdateUserDoc, byRoot("name", "Ada")},
		"suspendUser": {"user.suspended", harness.SuspendDoc, byRoot()},
		"reactivateUser": {
			"user.reactivated", harness.ReactivateDoc,
			func(t *testing.T, who account) (string, input) {
				harness.Fine(t, s.GraphQL(t, root.Access, harness.SuspendDoc, harness.InputOf("id", who.ID)))
				return root.Access, harness.InputOf("id", who.ID)
			},
		},
		"unlockUser":         {"user.unlocked", harness.UnlockDoc, byRoot()},
		"deleteUser":         {"user.deleted", harness.DeleteUserDoc, byRoot()},
		"revokeUserSessions": {"session.all_revoked", harness.EndUserDoc, byRoot()},

		"verifyMfa": {"login.succeeded", harness.VerifyMfaDoc, func(t *testing.T, who account) (string, input) {
			app := s.Enrols(t, who.Access)
			return "", harness.InputOf("challengeToken", s.Challenged(t, who.Email), "method", "TOTP", "code",
				s.NextCode(t, app))
		}},
		"setupTotp": {"mfa.enrolment_started", harness.SetupTotpDoc, own()},
		"confirmTotp": {"mfa.added", harness.ConfirmTotpDoc, func(t *testing.T, who account) (string, input) {
			app := s.SetsUp(t, who.Access)
			return who.Access, harness.InputOf("id", app.ID, "code", app.Code(t, s.Clock.Now()))
		}},
		"updateAuthenticator":     {"mfa.renamed", harness.NameAuthenticatorDoc, ofApp("name", "Phone")},
		"removeAuthenticator":     {"mfa.removed", harness.RemoveAuthenticatorDoc, ofApp()},
		"regenerateRecoveryCodes": {"recovery_codes.replaced", harness.RecoveryCodesDoc, enrolled},
		"forgetDevices":           {"devices.forgotten", harness.ForgetDevicesDoc, own()},
		"resetUserMfa": {"mfa.reset", harness.ResetMfaDoc, func(t *testing.T, who account) (string, input) {
			s.Enrols(t, who.Access)
			return root.Access, harness.InputOf("id", who.ID)
		}},

		"retryMailDelivery": {"mail.retried", retryMailDoc, func(t *testing.T, who account) (string, input) {
			failed := s.Mailed(t, harness.AskMagicDoc, who.Email, db.MailMagicLink)
			side.MustExec(t, `UPDATE mails SET state = 'FAILED' WHERE address = '`+who.Email+`'`)
			return root.Access, harness.InputOf("id", failed.Mail.ID.String())
		}},
	}
}

// TestAU01_EveryMutation calls every mutation of the schema once and finds its one event. A mutation without a row in
// auditedMutations fails here. The refusals are in the other tests of AU-01.
func TestAU01_EveryMutation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, harness.MailWaits), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		rows := auditedMutations(s, side, root)
		for _, mutation := range harness.Schema().Mutation.Fields {
			row, ok := rows[mutation.Name]
			if !ok {
				t.Errorf("%s: no row in auditedMutations; add one", mutation.Name)
				continue
			}
			delete(rows, mutation.Name)
			t.Run(mutation.Name, func(t *testing.T) {
				credential, variables := row.call(t, s.Register(t, mutation.Name+"@example.com"))
				before := len(side.Audit(t))
				a := harness.Fine(t, s.GraphQL(t, credential, row.document, variables))
				if len(a.Data) != 1 || a.Data[mutation.Name] == nil {
					t.Fatalf("the document does not call %s alone: %s", mutation.Name, a.Raw)
				}
				fresh := side.Audit(t)[before:]
				if len(fresh) != 1 || fresh[0].Action != row.action || fresh[0].Outcome != "ok" {
					t.Errorf("events %+v, want one %s", fresh, row.action)
				}
			})
		}
		for name := range rows {
			t.Errorf("%s: no mutation of the schema; delete its row", name)
		}
	})
}
