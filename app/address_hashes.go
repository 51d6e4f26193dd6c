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
	phones, networks := master.Stable("phone numbers"), master.Stable("networks")
	return db.AddressHashes{
		Tries: func(canonical string, of db.Purpose) []byte {
			return tries.MAC([]byte(canonical), []byte(of.CodeGroup()))
		},
		Mailbox: func(canonical string) []byte {
			return mailboxes.MAC([]byte(identity.Mailbox(canonical)))
		},
		Number:  func(phone string) []byte { return phones.MAC([]byte(phone)) },
		Network: func(prefix string) []byte { return networks.MAC([]byte(prefix)) },
		PhoneTries: func(subject string, of db.SMSPurpose) []byte {
			return tries.MAC([]byte(subject), []byte(of))
		},
	}
}
