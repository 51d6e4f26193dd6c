package config

import (
	"maps"
	"strings"
	"testing"
)

// MF-16: half a provider, two of them, and one without a list of countries stop the start, and the error says what to
// do. No error has a secret.
func TestMF16_Settings(t *testing.T) {
	t.Parallel()
	base := map[string]string{
		"DRAGOMAN_SMS_URL":       "https://sms.example.com",
		"DRAGOMAN_SMS_SECRET":    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"DRAGOMAN_SMS_COUNTRIES": "de, at",
	}
	twilio := map[string]string{
		"DRAGOMAN_TWILIO_ACCOUNT_SID": "AC0123456789abcdef0123456789abcdef", "DRAGOMAN_TWILIO_AUTH_TOKEN": "the-token",
		"DRAGOMAN_TWILIO_FROM": "MG0123456789abcdef0123456789abcdef", "DRAGOMAN_SMS_COUNTRIES": "US",
	}
	for name, c := range map[string]struct {
		from    map[string]string
		change  map[string]string
		problem string
	}{
		"a webhook": {base, nil, ""},
		"near":      {base, map[string]string{"DRAGOMAN_SMS_URL": "http://sms:8080/send"}, ""},
		"login":     {base, map[string]string{"DRAGOMAN_SMS_LOGIN": "on"}, ""},
		"limits":    {base, map[string]string{"DRAGOMAN_SMS_DAILY": "1"}, ""},
		"no limit":  {base, map[string]string{"DRAGOMAN_SMS_HOURLY": "0"}, "DRAGOMAN_SMS_HOURLY"},
		"no countries": {
			base,
			map[string]string{"DRAGOMAN_SMS_COUNTRIES": ""},
			"DRAGOMAN_SMS_COUNTRIES is not set",
		},
		"no country":     {base, map[string]string{"DRAGOMAN_SMS_COUNTRIES": "DE,XX"}, "DRAGOMAN_SMS_COUNTRIES"},
		"no secret":      {base, map[string]string{"DRAGOMAN_SMS_SECRET": ""}, "set both"},
		"a short secret": {base, map[string]string{"DRAGOMAN_SMS_SECRET": "whsec_MDEy"}, "DRAGOMAN_SMS_SECRET"},
		"in clear": {
			base,
			map[string]string{"DRAGOMAN_SMS_URL": "http://sms.example.com"},
			"DRAGOMAN_SMS_URL",
		},
		"with a password": {
			base,
			map[string]string{"DRAGOMAN_SMS_URL": "https://a:b@example.com"},
			"DRAGOMAN_SMS_URL",
		},
		"two providers": {base, map[string]string{"DRAGOMAN_TWILIO_FROM": "X"}, "set one of them"},
		"Twilio":        {twilio, nil, ""},
		"Twilio in a region": {
			twilio,
			map[string]string{"DRAGOMAN_TWILIO_URL": "https://api.dublin.ie1.twilio.com/"},
			"",
		},
		"a number":   {twilio, map[string]string{"DRAGOMAN_TWILIO_FROM": "+15005550006"}, ""},
		"no sender":  {twilio, map[string]string{"DRAGOMAN_TWILIO_FROM": ""}, "set all three"},
		"no account": {twilio, map[string]string{"DRAGOMAN_TWILIO_ACCOUNT_SID": "AC1"}, "DRAGOMAN_TWILIO_ACCOUNT_SID"},
	} {
		values := maps.Clone(c.from)
		maps.Copy(values, c.change)
		s, err := Load(func(name string) string { return values[name] })
		if c.problem == "" {
			if err != nil || !s.SMSOn() || !s.SMS.Sent() {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "MDEy") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
