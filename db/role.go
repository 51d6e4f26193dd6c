package db

// The names of the built-in roles, as users.role holds them.
const (
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// Role is a named set of permissions.
type Role struct {
	Name        string
	Description string
	Permissions []Permission
	IsBuiltIn   bool
}

// RoleNamed gives a role by its name, and whether there is one.
func RoleNamed(name string) (Role, bool) {
	switch name {
	case RoleUser:
		return Role{
			Name: name, Description: "Has an account.", IsBuiltIn: true,
			Permissions: []Permission{ProfileRead},
		}, true
	case RoleAdmin:
		return Role{
			Name: name, Description: "Looks after all accounts.", IsBuiltIn: true,
			Permissions: []Permission{ProfileRead, UsersRead, UsersWrite, SessionsWrite},
		}, true
	}
	return Role{}, false
}

// Roles are those of the account: at present its one role.
func (u User) Roles() []Role {
	if role, ok := RoleNamed(u.Role); ok {
		return []Role{role}
	}
	return []Role{}
}

// Permissions are what the roles add up to.
func (u User) Permissions() []Permission {
	role, _ := RoleNamed(u.Role)
	return append([]Permission{}, role.Permissions...)
}
