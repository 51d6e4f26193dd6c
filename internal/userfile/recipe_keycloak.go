package userfile

import (
	"encoding/base32"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/password"
)

// keycloak reads what `kc.sh export` writes: a file with a realm or several, or a directory with a file of the realm
// and files of its users (Keycloak, Importing and exporting realms). Fields by UserRepresentation.java and
// CredentialRepresentation.java, credentials by PasswordCredentialModel.java and OTPCredentialModel.java of
// keycloak/keycloak, in the form of version 8 and later or the one before.
var keycloak = recipe{
	about: "Keycloak: kc.sh export, a file or a directory",
	marks: [][]string{{"createdTimestamp"}, {"realm"}},
	open:  openKeycloak,
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		if f.ask("serviceAccountClientId") {
			return passOver("service account of a client, and no person"), nil
		}
		email := f.text("email")
		out := &Record{
			ExternalID: f.id("id"), Email: email, EmailVerified: f.flag("emailVerified"),
			Username: f.username("username", email), Name: joinNames(f.text("firstName"), f.text("lastName")),
			Status: suspendedIf(!f.enabled("enabled")), CreatedAt: f.time("createdTimestamp"),
		}
		keycloakAttributes(f, out)
		keycloakCredentials(f, out)
		for _, item := range f.list("federatedIdentities") {
			i := f.item("federatedIdentities", item)
			one := Identity{Provider: providerName(i.text("identityProvider")), Subject: i.text("userId")}
			if i.problem != nil || one.Provider == "" || one.Subject == "" {
				f.fail("federatedIdentities", "each needs an identityProvider and a userId, both texts")
			}
			out.Identities = append(out.Identities, one)
		}
		keycloakRest(f)
		return f.record(out)
	},
}

// phoneNumber is E.164. An attribute may hold anything.
var phoneNumber = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// keycloakAttributes makes metadata of the attributes, each a list of texts. A list of one is the text itself.
func keycloakAttributes(f *fields, out *Record) {
	for name, v := range f.object("attributes") {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		text, isText := v.(string)
		switch {
		case !hasValue(v):
		case name == "locale" && isText:
			out.Locale = f.language("locale", text)
		case name == "phoneNumber" && isText && phoneNumber.MatchString(text):
			out.Phone = text
		default:
			if out.Metadata == nil {
				out.Metadata = map[string]any{}
			}
			out.Metadata[name] = v
		}
	}
}

func keycloakRest(f *fields) {
	f.drop("self", "origin", "totp", "access", "notBefore", "disableableCredentialTypes", "userProfileMetadata",
		"clientConsents")
	roles, _ := f.row.fields["realmRoles"].([]any)
	f.ask("realmRoles")
	for _, role := range roles { // every account has these
		if name, _ := role.(string); name != "offline_access" && name != "uma_authorization" &&
			!strings.HasPrefix(name, "default-roles-") {
			f.note("realmRoles: not taken over; `dragoman admin promote` makes an administrator")
			break
		}
	}
	f.noteIf("clientRoles", "clientRoles: not taken over")
	f.noteIf("groups", "groups: not taken over")
	f.noteIf("federationLink", "federationLink: a directory has the password, and nothing here asks it")
	actions, _ := f.row.fields["requiredActions"].([]any)
	f.ask("requiredActions")
	for _, action := range actions {
		if action != "VERIFY_EMAIL" {
			f.note("requiredActions: nothing here asks the person for them")
			break
		}
	}
}

func keycloakCredentials(f *fields, out *Record) {
	for _, item := range f.list("credentials") {
		c := f.item("credentials", item)
		kind := c.text("type")
		secret, data := c.object("secretData"), c.object("credentialData")
		c.known("id", "createdDate", "priority")
		switch {
		case c.problem != nil:
			f.fail("credentials", "%s: %s", c.problem.Column, c.problem.Reason)
		case kind == "password" && out.PasswordHash == "":
			out.PasswordHash = keycloakHash(f, item)
			c.known(slices.Collect(maps.Keys(item.fields))...)
		case kind == "password":
			f.fail("credentials", "there are two passwords")
		case kind == "password-history":
		case kind == "otp" && out.TOTPSecret == "" && keycloakOTP(secret, data) != "":
			out.TOTPSecret = keycloakOTP(secret, data)
		default:
			f.note("credentials: another factor than a password and one app with 6 digits is not taken over")
		}
	}
}

func keycloakHash(f *fields, credential row) string {
	text, err := json.Marshal(credential.fields)
	if err != nil {
		f.fail("credentials", "%s", err.Error())
		return ""
	}
	read, err := password.KeycloakHash(text)
	if err != nil {
		f.fail("credentials", "%s", err.Error())
	}
	return read.Text
}

// keycloakOTP gives the secret of an authenticator app in base32, "" for one that has other codes than ours. Without an
// encoding the secret is the text itself.
func keycloakOTP(secret, data map[string]any) string {
	number := func(name string) string { n, _ := data[name].(json.Number); return n.String() }
	algorithm := textOf(data, "algorithm")
	if textOf(data, "subType") != "totp" || number("digits") != "6" || number("period") != "30" ||
		algorithm != "HmacSHA1" {
		return ""
	}
	value := textOf(secret, "value")
	if strings.EqualFold(textOf(data, "secretEncoding"), "BASE32") {
		return strings.TrimRight(value, "=")
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(value))
}
