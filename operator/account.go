package operator

import (
	"context"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// AccountArg is an account on the command line, in any form that findUser reads.
type AccountArg struct {
	Who string `arg:"" help:"The account: its id, email address or username, or external: and the id of its former system."`
}

// externalForm is how an account is named by the id that it had in the system it came from.
const externalForm = "external:"

// findUser finds an account by its id, its email address, its username or the id of its former system. No two of these
// look alike.
func findUser(ctx context.Context, database *db.DB, who string) (user *db.User, err error) {
	var id db.UserID
	if external, ok := strings.CutPrefix(who, externalForm); ok {
		user, err = database.UserOfFormerSystem(ctx, external)
	} else if id.UnmarshalText([]byte(who)) == nil {
		user, err = database.User(ctx, id)
	} else {
		var canonical string
		if canonical, err = canonicalName(who); err == nil {
			user, err = database.UserNamed(ctx, canonical)
		}
	}
	if err == nil && user == nil {
		err = fmt.Errorf("%s: no account has this name; check the id, the email address or the username, or write the "+
			"id of the former system as %sID", who, externalForm)
	}
	return user, err
}

// canonicalName reads what can be an email address or a username. The two never look alike.
func canonicalName(who string) (canonical string, err error) {
	if strings.Contains(who, "@") {
		_, canonical, err = identity.Email(who)
	} else {
		_, canonical, err = identity.Username(who)
	}
	if err != nil {
		return "", fmt.Errorf("%q is no id, email address or username; write one of them, or the id of the former "+
			"system as %sID", who, externalForm)
	}
	return canonical, nil
}
