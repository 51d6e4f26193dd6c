package db_test

import "crypto/hmac"

// equals tells whether a stored hash is this one.
func equals(hash []byte) func([]byte) bool {
	return func(stored []byte) bool { return hmac.Equal(stored, hash) }
}
