package sessions

import (
	"encoding/base64"
)

func b64url(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
