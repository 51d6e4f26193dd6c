package totp

import "fmt"

// Sealing is the purpose of the key that seals secrets at rest.
const Sealing = "totp"

// SealedAt is where the secrets of an account are sealed, in the form of secret.Key.Seal: no seal opens for another
// account (MF-06). The name is that of the table that first held them, and stays: another one would open no secret of
// before.
func SealedAt(user fmt.Stringer) string { return "imported_totp/" + user.String() + "/sealed" }
