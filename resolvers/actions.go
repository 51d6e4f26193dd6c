package resolvers

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
)

// actions maps every mutation to the action of its event. An argument can change the action: logout with everywhere is
// db.ActionSessionAllEnded.
var actions = map[string]db.Action{
	"register": db.ActionUserCreated,
	"login":    db.ActionLoginSucceeded,
	"refresh":  db.ActionSessionRefreshed,
	"logout":   db.ActionSessionEnded,

	"sendVerificationEmail": db.ActionEmailVerificationRequested,
	"verifyEmail":           db.ActionEmailVerified,
	"requestPasswordReset":  db.ActionPasswordResetRequested,
	"resetPassword":         db.ActionPasswordReset,
	"requestMagicLink":      db.ActionMagicLinkRequested,
	"loginWithMagicLink":    db.ActionLoginSucceeded,

	"sendPhoneCode":    db.ActionPhoneCodeRequested,
	"verifyPhone":      db.ActionPhoneVerified,
	"removePhone":      db.ActionPhoneRemoved,
	"requestLoginCode": db.ActionLoginCodeRequested,
	"loginWithCode":    db.ActionLoginSucceeded,

	"updateMe":          db.ActionUserUpdated,
	"changePassword":    db.ActionPasswordChanged,
	"changeEmail":       db.ActionEmailChangeRequested,
	"cancelEmailChange": db.ActionEmailChangeCanceled,
	"sudo":              db.ActionSudoGranted,
	"deleteAccount":     db.ActionUserDeleted,
	"exportMyData":      db.ActionUserExported,

	"verifyMfa":               db.ActionLoginChallenged,
	"setupTotp":               db.ActionMfaEnrolmentStarted,
	"confirmTotp":             db.ActionMfaAdded,
	"updateAuthenticator":     db.ActionMfaRenamed,
	"removeAuthenticator":     db.ActionMfaRemoved,
	"regenerateRecoveryCodes": db.ActionRecoveryCodesReplaced,
	"forgetDevices":           db.ActionDevicesForgotten,
	"resetUserMfa":            db.ActionMfaReset,

	"revokeSession":       db.ActionSessionRevoked,
	"revokeOtherSessions": db.ActionSessionOthersRevoked,

	"createApiKey": db.ActionKeyCreated,
	"updateApiKey": db.ActionKeyUpdated,
	"rotateApiKey": db.ActionKeyRotated,
	"deleteApiKey": db.ActionKeyDeleted,

	"createUser":         db.ActionUserCreated,
	"updateUser":         db.ActionUserUpdated,
	"suspendUser":        db.ActionUserSuspended,
	"reactivateUser":     db.ActionUserReactivated,
	"deleteUser":         db.ActionUserDeleted,
	"unlockUser":         db.ActionUserUnlocked,
	"revokeUserSessions": db.ActionSessionAllRevoked,

	"retryMailDelivery": db.ActionMailRetried,
}

// actionsAreStated demands an action for every mutation of the schema (AU-01).
func actionsAreStated(schema *ast.Schema) error {
	for _, field := range schema.Mutation.Fields {
		if actions[field.Name] == (db.Action{}) {
			return fmt.Errorf("the mutation %s has no action of the audit log; give it one in resolvers/actions.go",
				field.Name)
		}
	}
	return nil
}

// fieldName gives the name of the root field that runs; "unknown" outside of a field.
func fieldName(ctx context.Context) string {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil || fc.Field.Field == nil {
		return "unknown"
	}
	return fc.Field.Name
}
