package app

import (
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// AddressHashes gives the keyed hashes of addresses. They change with the oldest server secret alone: master is that of
// RecordSecretUse or KnownMaster.
func AddressHashes(master *secret.Master) db.AddressHashes {
	tries, mailboxes := master.Stable("code tries"), master.Stable("mail budgets")
	return db.AddressHashes{
		Tries: func(canonical string, of db.Purpose) []byte {
			return tries.MAC([]byte(canonical), []byte(of.CodeGroup()))
		},
		Mailbox: func(canonical string) []byte {
			return mailboxes.MAC([]byte(identity.Mailbox(canonical)))
		},
	}
}
