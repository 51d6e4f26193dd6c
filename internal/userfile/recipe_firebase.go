package userfile

import (
	"bufio"
	"errors"

	"github.com/dragoman-auth/dragoman/internal/password"
)

// firebase reads what `firebase auth:export FILE.json` writes, by src/accountExporter.ts of firebase/firebase-tools and
// the file format in the reference of the Firebase CLI (auth:import and auth:export). The parameters of the hashes
// stand in the console.
var firebase = recipe{
	about: "Firebase: firebase auth:export FILE.json",
	marks: [][]string{{"localId"}},
	open: func(in *bufio.Reader, _ bool) (rows, error) {
		switch first, err := firstByte(in); {
		case err != nil:
			return nil, err
		case first == '{':
			return newArray(in, "users"), nil
		case first == '[':
			return newArray(in, ""), nil
		}
		return nil, errors.New("this is no JSON, and the CSV of Firebase has no header; export to a name that ends " +
			"with .json")
	},
	read: func(o Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		out := &Record{
			ExternalID: f.id("localId"), Email: f.text("email"), EmailVerified: f.flag("emailVerified"),
			Name: f.text("displayName"), Phone: f.phone("phoneNumber"), AppMetadata: f.object("customAttributes"),
			Status: suspendedIf(f.flag("disabled")), PasswordHash: firebaseHash(f, o.Firebase),
			CreatedAt: f.time("createdAt"), LastLoginAt: firebaseVisit(f),
		}
		if photo := f.text("photoUrl"); photo != "" {
			out.Metadata = map[string]any{"photoUrl": photo}
		}
		for _, item := range f.list("providerUserInfo") {
			i := f.item("providerUserInfo", item)
			one := Identity{
				Provider: providerName(i.text("providerId")), Subject: i.first("rawId", "federatedId"),
				Email: i.text("email"),
			}
			switch {
			case one.Provider == "password" || one.Provider == "phone": // the account itself
			case i.problem != nil || one.Provider == "" || one.Subject == "":
				f.fail("providerUserInfo", "each needs a providerId and a rawId, both texts")
			default:
				out.Identities = append(out.Identities, one)
			}
		}
		if f.problem == nil && out.Email == "" && out.Phone == "" && len(out.Identities) == 0 {
			return passOver("anonymous in the former system"), nil
		}
		f.noteIf("mfaInfo", "mfaInfo: a second factor by phone is not taken over; the person sets one up again")
		f.drop("salt", "passwordUpdatedAt", "validSince", "version", "lastRefreshAt")
		return f.record(out)
	},
}

func firebaseVisit(f *fields) string {
	if at := f.time("lastSignedInAt"); at != "" {
		return at
	}
	return f.time("lastLoginAt") // of the API itself
}

func firebaseHash(f *fields, h FirebaseHash) string {
	hash, salt := f.text("passwordHash"), f.text("salt")
	if hash == "" || f.problem != nil {
		return ""
	}
	if h.SignerKey == "" {
		f.fail("passwordHash", "it needs the hash parameters of the project, which the console of Firebase shows; "+
			"without them take passwordHash out of the file, and the accounts come without passwords")
		return ""
	}
	params := password.FirebaseParams{
		SignerKey: h.SignerKey, SaltSeparator: h.SaltSeparator, Rounds: h.Rounds, MemCost: h.MemoryCost,
	}
	read, err := password.FirebaseHash(params, salt, hash)
	if err != nil {
		f.fail("passwordHash", "%s", err.Error())
	}
	return read.Text
}
