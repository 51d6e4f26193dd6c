package app

import "github.com/dragoman-auth/dragoman/db"

// TOTPSealing is the purpose of the key that seals the secrets of authenticator apps.
const TOTPSealing = "totp"

// TOTPSealedAt is where the secret of an account is sealed, in the form of secret.Key.Seal.
func TOTPSealedAt(user db.UserID) string { return "imported_totp/" + user.String() + "/sealed" }
