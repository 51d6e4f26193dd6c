package admin

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// privilegesDoc is the document with the table that the tests of this file read.
const privilegesDoc = "docs/privileges.md"

// privilege is a row of the table: an operation, whose account it touches, and what each caller gets.
type privilege struct {
	operation, whose string
	mutation         string   // the first name in the operation
	want             []string // by column
}

// callers are the columns of the table.
var callers = []string{
	"admin, fresh", "admin, aged", "user, fresh", "user, aged", "admin's key", "user's key", "nobody",
}

// privileges reads the table.
func privileges(t *testing.T) (rows []privilege) {
	t.Helper()
	for line := range strings.Lines(harness.ReadFile(t, privilegesDoc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != len(callers)+2 || strings.HasPrefix(cells[0], "---") {
			continue
		}
		if cells[0] == "operation" {
			if !slices.Equal(cells[2:], callers) {
				t.Fatalf("%s: the columns are %q, want %q", privilegesDoc, cells[2:], callers)
			}
			continue
		}
		name := regexp.MustCompile("^`([a-zA-Z]+)`").FindStringSubmatch(cells[0])
		if name == nil {
			t.Fatalf("%s: no mutation in %q", privilegesDoc, cells[0])
		}
		rows = append(rows, privilege{cells[0], cells[1], name[1], cells[2:]})
	}
	return rows
}

// try is one cell of the table: a caller before an operation.
type try struct {
	*harness.Instance
	t      *testing.T
	dsn    string
	n      int             // of the cell, for names
	actor  harness.Account // who owns the credential
	target harness.Account // whose account is touched
	token  string          // of a mail
	keyID  string
	app    *harness.App // of the target
}

// document and variables of a call.
type operation struct {
	document  string
	variables func(*try) map[string]any
}

// privilegedOps says how each operation of the table is called. A wrong name fails TestAZ11_Table.
func privilegedOps() map[string]operation {
	const current = "currentPassword"
	input := func(fields ...any) func(*try) map[string]any {
		return func(*try) map[string]any { return harness.InputOf(fields...) }
	}
	onTarget := func(fields ...any) func(*try) map[string]any {
		return func(c *try) map[string]any { return harness.InputOf(append(fields, "id", c.target.ID)...) }
	}
	renamed := func(more ...any) func(*try) map[string]any {
		return func(c *try) map[string]any {
			return harness.InputOf(append(more, "username", fmt.Sprint("name", c.n), "name", "N", "metadata",
				map[string]any{"n": 1})...)
		}
	}
	address := func(c *try) string { return fmt.Sprintf("other%d@example.com", c.n) }
	toTarget := func(c *try) map[string]any { return harness.InputOf("email", c.target.Email) }
	byToken := func(fields ...any) func(*try) map[string]any {
		return func(c *try) map[string]any { return harness.InputOf(append(fields, "token", c.token)...) }
	}
	onKey := func(fields ...any) func(*try) map[string]any {
		return func(c *try) map[string]any { return harness.InputOf(append(fields, "id", c.keyID)...) }
	}
	onApp := func(fields ...any) func(*try) map[string]any {
		return func(c *try) map[string]any { return harness.InputOf(append(fields, "id", c.app.ID)...) }
	}
	wide := []string{"PROFILE_READ", "USERS_READ"}
	return map[string]operation{
		"`register`": {harness.RegisterDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c), "password", harness.GoodPass)
		}},
		"`login` with the password": {harness.LoginDoc, func(c *try) map[string]any {
			return harness.InputOf("email", c.target.Email, "password", harness.GoodPass)
		}},
		"`refresh` with the refresh token": {harness.RefreshDoc, func(c *try) map[string]any {
			return map[string]any{"token": c.target.Refresh}
		}},
		"`logout`":                              {harness.LogoutDoc, func(*try) map[string]any { return nil }},
		"`logout` everywhere, with the keys":    {harness.LogoutDoc, input("everywhere", true, "revokeApiKeys", true)},
		"`sendVerificationEmail` to an address": {harness.SendVerifyDoc, toTarget},
		"`sendVerificationEmail`":               {harness.SendVerifyDoc, func(*try) map[string]any { return nil }},
		"`verifyEmail` with the mailed token":   {harness.VerifyDoc, byToken()},
		"`requestPasswordReset`":                {harness.AskResetDoc, toTarget},
		"`resetPassword` with the mailed token": {
			harness.ResetDoc, byToken("newPassword", harness.NewPass),
		},
		"`requestMagicLink`":                         {harness.AskMagicDoc, toTarget},
		"`loginWithMagicLink` with the mailed token": {harness.MagicDoc, byToken()},
		"`requestLoginCode`":                         {harness.AskCodeDoc, toTarget},
		"`loginWithCode` with the mailed code": {harness.LoginCodeDoc, func(c *try) map[string]any {
			return harness.InputOf("email", c.target.Email, "code", c.token)
		}},
		"`sendPhoneCode` to a new number": {harness.SendPhoneCodeDoc, func(c *try) map[string]any {
			return harness.InputOf("phone", fmt.Sprintf("+49155501%04d", c.n))
		}},
		"`verifyPhone` with a code":                 {verifyPhoneDoc, input("phone", "+4915550100101", "code", "123456")},
		"`removePhone`":                             {removePhoneDoc, func(*try) map[string]any { return nil }},
		"`cancelEmailChange` with the mailed token": {cancelChangeDoc, byToken()},
		"`updateMe`: locale":                        {harness.UpdateMeDoc, input("locale", "de")},
		"`updateMe`: username, name, metadata":      {harness.UpdateMeDoc, renamed()},
		"`updateMe`: email": {harness.UpdateMeDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c))
		}},
		"`updateMe`: password": {harness.UpdateMeDoc, input("password", harness.NewPass)},
		"`updateMe` with `currentPassword`": {harness.UpdateMeDoc, func(c *try) map[string]any {
			return renamed("email", address(c), "password", harness.NewPass, current, harness.GoodPass)(c)
		}},
		"`changePassword`": {harness.ChangePasswordDoc, input("newPassword", harness.NewPass)},
		"`changePassword` with `currentPassword`": {
			harness.ChangePasswordDoc, input("newPassword", harness.NewPass, current, harness.GoodPass),
		},
		"`changeEmail`": {harness.ChangeEmailDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c))
		}},
		"`changeEmail` with `currentPassword`": {harness.ChangeEmailDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c), current, harness.GoodPass)
		}},
		"`sudo` with the password": {harness.SudoDoc, input("password", harness.GoodPass)},
		"`exportMyData`":           {harness.ExportDoc, func(*try) map[string]any { return nil }},
		"`deleteAccount`":          {harness.DeleteAccountDoc, func(*try) map[string]any { return nil }},
		"`revokeSession`": {harness.RevokeSessionDoc, func(c *try) map[string]any {
			return harness.InputOf("id", c.actor.Session)
		}},
		"`revokeOtherSessions`": {
			harness.RevokeOthersDoc,
			func(*try) map[string]any { return nil },
		},
		"`createApiKey`: `PROFILE_READ`":              {harness.CreateKey, input("name", "k")},
		"`createApiKey`: more scopes":                 {harness.CreateKey, input("scopes", wide)},
		"`updateApiKey`: a name, fewer scopes":        {harness.UpdateKeyDoc, onKey("name", "x", "scopes", []string{})},
		"`updateApiKey`: more scopes":                 {harness.UpdateKeyDoc, onKey("scopes", wide)},
		"`rotateApiKey` of a key with `PROFILE_READ`": {harness.RotateKeyDoc, onKey()},
		"`rotateApiKey` of a key with more scopes":    {harness.RotateKeyDoc, onKey()},
		"`deleteApiKey`":                              {harness.DropKeyDoc, onKey()},
		"`createUser`": {harness.CreateUserDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c))
		}},
		"`createUser` with `emailVerified`": {harness.CreateUserDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c), "emailVerified", true)
		}},
		"`createUser` with the role admin": {harness.CreateUserDoc, func(c *try) map[string]any {
			return harness.InputOf("email", address(c), "role", "admin")
		}},
		"`updateUser`: username, name, metadata": {harness.UpdateUserDoc, func(c *try) map[string]any {
			return renamed("id", c.target.ID)(c)
		}},
		"`updateUser`: email": {harness.UpdateUserDoc, func(c *try) map[string]any {
			return harness.InputOf("id", c.target.ID, "email", address(c))
		}},
		"`updateUser`: active":         {harness.UpdateUserDoc, onTarget("active", false)},
		"`updateUser`: the role admin": {harness.UpdateUserDoc, onTarget("role", "admin")},
		"`updateUser`: the role user":  {harness.UpdateUserDoc, onTarget("role", "user")},
		"`suspendUser`":                {harness.SuspendDoc, onTarget()},
		"`reactivateUser`":             {harness.ReactivateDoc, onTarget()},
		"`unlockUser`":                 {harness.UnlockDoc, onTarget()},
		"`deleteUser`":                 {harness.DeleteUserDoc, onTarget()},
		"`revokeUserSessions`":         {harness.EndUserDoc, onTarget()},
		"`verifyMfa` with a code": {harness.VerifyMfaDoc, func(c *try) map[string]any {
			return harness.InputOf("challengeToken", c.Challenged(c.t, c.target.Email), "method", "TOTP", "code",
				c.NextCode(c.t, c.app))
		}},
		"`setupTotp`": {harness.SetupTotpDoc, func(*try) map[string]any { return nil }},
		"`confirmTotp`": {harness.ConfirmTotpDoc, func(c *try) map[string]any {
			return harness.InputOf("id", c.app.ID, "code", c.app.Code(c.t, c.Clock.Now()))
		}},
		"`updateAuthenticator`":     {harness.NameAuthenticatorDoc, onApp("name", "Phone")},
		"`removeAuthenticator`":     {harness.RemoveAuthenticatorDoc, onApp()},
		"`regenerateRecoveryCodes`": {harness.RecoveryCodesDoc, func(*try) map[string]any { return nil }},
		"`forgetDevices`":           {harness.ForgetDevicesDoc, func(*try) map[string]any { return nil }},
		"`resetUserMfa`":            {harness.ResetMfaDoc, onTarget()},
		"`retryMailDelivery`": {retryMailDoc, func(c *try) map[string]any {
			return harness.InputOf("id", db.NewMailID().String())
		}},
	}
}

const (
	verifyPhoneDoc = `mutation V($input: VerifyPhoneInput!) { verifyPhone(input: $input) { userErrors { code } } }`
	removePhoneDoc = `mutation { removePhone { userErrors { code } } }`
)

// prepare makes the caller of a cell and the account that is touched, and gives the credential.
func (c *try) prepare(row privilege, caller string) (credential string) {
	c.t.Helper()
	c.actor = c.Register(c.t, fmt.Sprintf("actor%d@example.com", c.n))
	if strings.HasPrefix(caller, "admin") {
		c.SetRole(c.t, c.dsn, c.actor, "admin")
	}
	credential = c.actor.Access
	switch caller {
	case "admin's key":
		_, credential = c.NewKey(c.t, c.actor.Access, map[string]any{
			"scopes": []string{"PROFILE_READ", "USERS_READ", "USERS_WRITE", "SESSIONS_WRITE"},
		})
	case "user's key":
		_, credential = c.NewKey(c.t, c.actor.Access, nil)
	case "nobody":
		credential = ""
	}
	c.target = c.actor
	if row.whose != "own" {
		c.target = c.Register(c.t, fmt.Sprintf("target%d@example.com", c.n))
	}
	if row.whose == "an admin" {
		c.SetRole(c.t, c.dsn, c.target, "admin")
	}
	c.prepareKey(row)
	c.prepareFactor(row)
	if strings.HasSuffix(caller, "aged") {
		c.Clock.Add(31 * time.Minute) // longer than the window of any dialect
	}
	switch row.mutation {
	case "verifyEmail":
		c.token = c.Mailed(c.t, harness.SendVerifyDoc, c.target.Email, db.MailVerifyEmail).Token
	case "resetPassword":
		c.token = c.Mailed(c.t, harness.AskResetDoc, c.target.Email, db.MailResetPassword).Token
	case "loginWithMagicLink":
		c.token = c.Mailed(c.t, harness.AskMagicDoc, c.target.Email, db.MailMagicLink).Token
	case "loginWithCode":
		c.token = c.Mailed(c.t, harness.AskCodeDoc, c.target.Email, db.MailLoginCode).Code
	case "cancelEmailChange": // only a confirmed address gets the link
		confirm := c.Mailed(c.t, harness.SendVerifyDoc, c.target.Email, db.MailVerifyEmail).Token
		harness.Fine(c.t, c.GraphQL(c.t, "", harness.VerifyDoc, harness.InputOf("token", confirm)))
		harness.Fine(c.t, c.GraphQL(c.t, c.target.Access, harness.ChangeEmailDoc, harness.InputOf(
			"email", fmt.Sprintf("waits%d@example.com", c.n), "currentPassword", harness.GoodPass)))
		c.token = c.Letter(c.t, c.target.Email, db.MailChangeAsked).Token
	}
	return credential
}

// prepareFactor sets up the authenticator app that an operation is about.
func (c *try) prepareFactor(row privilege) {
	c.t.Helper()
	switch row.mutation {
	case "confirmTotp":
		c.app = c.SetsUp(c.t, c.target.Access)
	case "verifyMfa", "updateAuthenticator", "removeAuthenticator", "regenerateRecoveryCodes", "resetUserMfa":
		c.app = c.Enrols(c.t, c.target.Access)
	}
}

// prepareKey makes the API key that an operation on keys is about.
func (c *try) prepareKey(row privilege) {
	c.t.Helper()
	if !strings.HasSuffix(row.mutation, "ApiKey") || row.mutation == "createApiKey" {
		return
	}
	c.keyID, _ = c.NewKey(c.t, c.actor.Access, nil)
	if strings.Contains(row.operation, "of a key with more scopes") {
		// A user whose role was taken away has such keys.
		harness.OpenSide(c.t, c.dsn).MustExec(c.t, `UPDATE api_keys SET scopes = '["PROFILE_READ","USERS_READ"]'`)
	}
}

// got is what a cell of the table says of an answer.
func got(row privilege, a *harness.Answer) string {
	switch code := a.Code(); {
	case code == "" && len(a.Errors) == 0,
		// The caller may, and there is no such mail, code or number.
		code == "NOT_FOUND" && row.mutation == "retryMailDelivery",
		code == "INVALID_TOKEN" && row.mutation == "verifyPhone", code == "CONFLICT" && row.mutation == "removePhone":
		return "allowed"
	default:
		return code
	}
}

// TestAZ11_Table compares the table of docs/privileges.md with a server: every mutation, by every kind of caller, over
// every kind of account.
func TestAZ11_Table(t *testing.T) {
	t.Parallel()
	rows, ops := privileges(t), privilegedOps()
	seen, unused := map[string]bool{}, maps.Clone(ops)
	for _, row := range rows {
		seen[row.mutation] = true
		if _, ok := ops[row.operation]; !ok {
			t.Fatalf("%s: no test calls %s; add it to privilegedOps", privilegesDoc, row.operation)
		}
		delete(unused, row.operation)
	}
	for name := range unused {
		t.Errorf("%s has no row for %s", privilegesDoc, name)
	}
	for _, field := range harness.Schema().Mutation.Fields {
		if !seen[field.Name] {
			t.Errorf("%s has no row for the mutation %s", privilegesDoc, field.Name)
		}
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1h")
		s.Admin(t, dsn, "root@example.com") // nobody here is the last administrator
		n := 0
		for _, row := range rows {
			for i, caller := range callers {
				n++
				c := &try{Instance: s, t: t, dsn: dsn, n: n}
				credential := c.prepare(row, caller)
				op := ops[row.operation]
				a := s.GraphQL(t, credential, op.document, op.variables(c))
				if got := got(row, a); got != row.want[i] {
					t.Errorf("%s, %s, by %s: %s, want %s (%.300s)", row.operation, row.whose, caller, got,
						row.want[i], a.Raw)
				}
			}
		}
	})
}
