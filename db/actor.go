package db

import (
	"slices"
	"strings"
)

// beyondUser is the condition of an account whose role is beyond `user` (AZ-12): User.BeyondUser in SQL. A role that
// this version does not know is beyond `user`. TestAZ12_BeyondUser compares the condition with the roles.
const beyondUser = `role NOT IN ('` + RoleUser + `')`

// BeyondUser tells whether the account is beyond `user`: whether it holds a permission other than PROFILE_* (AZ-12).
func (u *User) BeyondUser() bool {
	role, known := RoleNamed(u.Role)
	return !known || role.BeyondUser()
}

// BeyondUser tells whether a role holds a permission other than PROFILE_* (AZ-12).
func (r Role) BeyondUser() bool { return slices.ContainsFunc(r.Permissions, Permission.beyondUser) }

// beyondUser tells whether a permission reaches farther than the own account.
func (p Permission) beyondUser() bool { return !strings.HasPrefix(string(p), "PROFILE_") }
