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

// BuiltInRoles lists the roles that there are.
func BuiltInRoles() []Role {
	return []Role{
		{
			Name: RoleUser, Description: "Has an account.", IsBuiltIn: true,
			Permissions: []Permission{ProfileRead},
		},
		{
			Name: RoleAdmin, Description: "Looks after all accounts.", IsBuiltIn: true,
			Permissions: []Permission{ProfileRead, UsersRead, UsersWrite, SessionsWrite},
		},
	}
}

// RoleNamed gives the role of a name, and whether it exists.
func RoleNamed(name string) (Role, bool) {
	for _, role := range BuiltInRoles() {
		if role.Name == name {
			return role, true
		}
	}
	return Role{}, false
}

// Roles lists the roles of the account, at present one.
func (u User) Roles() []Role {
	if role, ok := RoleNamed(u.Role); ok {
		return []Role{role}
	}
	return []Role{}
}

// Permissions lists the permissions of all its roles.
func (u User) Permissions() []Permission {
	role, _ := RoleNamed(u.Role)
	return append([]Permission{}, role.Permissions...)
}
