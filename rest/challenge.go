package rest

import (
	"cmp"
	"slices"
)

// A sign-in of an account with a second factor gives a challenge in place of tokens. The row MFA_REQUIRED answers it as
// the API words it. Without a body of its own the row answers like every refusal of the dialect, and tells the
// challenge beside it: a client that does not know of second factors sees a refusal, and never a token.

// mfaCode is the code of a challenge in answers.
const mfaCode = "mfa_required"

// challenged returns the error of a sign-in that waits for its second factor.
func challenged(challenge map[string]any) *apiError {
	return &apiError{code: mfaRequired, message: standards[mfaRequired].message, challenge: challenge, after: true}
}

// tellChallenge writes the body of a refusal, with the code and the challenge.
func (d *Dialect) tellChallenge(out *reply, s scope, body *tree, shown *apiError) error {
	var told object
	if body != nil {
		value, _, err := body.eval(s)
		if err != nil {
			return err
		}
		told = asObject(value)
	}
	if told == nil {
		told = object{{"message", shown.message}}
	}
	var challenge object
	for _, name := range []string{"token", "methods", "enrolmentRequired", "expiresAt"} {
		challenge = append(challenge, pair{name, shown.challenge[name]})
	}
	told = told.with("code", mfaCode).with("challenge", challenge)
	var err error
	out.media = d.jsonType
	out.body, err = encode(told)
	out.body = append(out.body, '\n')
	return err
}

// asObject returns an object of JSON with its members in order, nil for another value.
func asObject(value any) object {
	switch value := value.(type) {
	case object:
		return slices.Clone(value)
	case map[string]any:
		told := object{}
		for name, inner := range value {
			told = append(told, pair{name, inner})
		}
		slices.SortFunc(told, func(a, b pair) int { return cmp.Compare(a.key, b.key) })
		return told
	}
	return nil
}

// with sets a member.
func (o object) with(key string, value any) object {
	if i := slices.IndexFunc(o, func(p pair) bool { return p.key == key }); i >= 0 {
		o[i].value = value
		return o
	}
	return append(o, pair{key, value})
}

// sampleChallenge is a challenge as rows are tried on it, and as the documentation shows it.
func sampleChallenge(enrols bool) map[string]any {
	methods := []any{"TOTP", "RECOVERY_CODE"}
	if enrols {
		methods = []any{}
	}
	return map[string]any{
		"token": anySentence, "methods": methods, "enrolmentRequired": enrols, "expiresAt": "2026-01-31T10:05:00.000Z",
	}
}
