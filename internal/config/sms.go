package config

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/sms"
	"github.com/dragoman-auth/dragoman/internal/webhook"
)

// SMS is how messages to phones are sent.
type SMS struct {
	URL    string      // of the operator's service; "" for none
	Secret secret.Text // that its requests are signed with
	Twilio sms.Twilio  // without an account for none

	Countries []string // that messages may go to, by ISO 3166-1; nil where nobody said
	Daily     int      // messages within a day
	Hourly    int      // messages to a country within an hour
	Login     bool     // whether a code signs in
}

var smsKeys = []key{
	{
		"DRAGOMAN_SMS_URL", "",
		"A service of yours that sends messages to phones: each is posted to it as JSON, signed with " +
			"DRAGOMAN_SMS_SECRET. " +
			"Without it and without Twilio, the local mailbox shows them where there is one; else there are none.",
		"an https URL, or an http one of this machine or of a name without a dot, without query and fragment, for " +
			"example https://sms.example.com/send",
		false, parseSMSURL,
	},
	{
		"DRAGOMAN_SMS_SECRET", "",
		"The secret of these requests, by which the service knows that they come from this server (Standard Webhooks).",
		"whsec_ and the base64 of 24 to 64 random bytes, for example the output of: " +
			"echo whsec_$(openssl rand -base64 32)",
		true, parseSMSSecret,
	},
	{
		"DRAGOMAN_TWILIO_ACCOUNT_SID", "",
		"The account at Twilio, whose Messages API sends messages to phones.",
		"AC and 32 characters of 0-9 and a-f", false, parseTwilioAccount,
	},
	{
		"DRAGOMAN_TWILIO_AUTH_TOKEN", "",
		"The auth token of the account at Twilio.",
		"the token as the console of Twilio shows it", true, parseTwilioToken,
	},
	{
		"DRAGOMAN_TWILIO_FROM", "",
		"The sender of messages by Twilio.",
		"a number such as +15005550006, a sender id of up to 11 letters and digits, or the MG… of a messaging service",
		false, parseTwilioFrom,
	},
	{
		"DRAGOMAN_TWILIO_URL", "https://api.twilio.com",
		"The API of Twilio, for an account in one of its regions.",
		"as DRAGOMAN_SMS_URL", false, parseTwilioURL,
	},
	{
		"DRAGOMAN_SMS_COUNTRIES", "",
		"The countries that messages to phones go to; needed where a provider is set, since strangers cause messages " +
			"that " +
			"you pay for. Countries with one calling code, such as US and CA, are allowed together.",
		"codes of ISO 3166-1 with commas between, for example DE,AT,CH", false, parseSMSCountries,
	},
	{
		"DRAGOMAN_SMS_DAILY", "500",
		"How many messages to phones are sent within a day, in all. What is beyond is dropped.",
		"a whole number from 1 to 10000000", false,
		whole(1, 10_000_000, func(s *Settings) *int { return &s.SMS.Daily }),
	},
	{
		"DRAGOMAN_SMS_HOURLY", "100",
		"How many messages are sent to the phones of one country within an hour. What is beyond is dropped.",
		"a whole number from 1 to 10000000", false,
		whole(1, 10_000_000, func(s *Settings) *int { return &s.SMS.Hourly }),
	},
	{
		"DRAGOMAN_SMS_LOGIN", "off",
		"Whether people sign in by a code to a phone number that they confirmed. It is weaker than a mail: whoever has " +
			"the number moved to a card of theirs gets in.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.SMS.Login }),
	},
}

// serviceURL tells whether a URL is one that secrets may be sent to.
func serviceURL(v string) bool {
	u, err := url.Parse(v)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(v, "?# ") {
		return false
	}
	near := loopback(u.Hostname()) || !strings.ContainsAny(u.Hostname(), ".:")
	return u.Scheme == "https" || u.Scheme == "http" && near
}

func parseSMSURL(s *Settings, v string) bool {
	s.SMS.URL = v
	return v == "" || serviceURL(v)
}

func parseSMSSecret(s *Settings, v string) bool {
	s.SMS.Secret = secret.Text(v)
	if v == "" {
		return true
	}
	_, err := webhook.Key(s.SMS.Secret)
	return err == nil
}

var (
	twilioAccount = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	twilioService = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	twilioSender  = regexp.MustCompile(`^[A-Za-z0-9 ]{1,11}$`)
)

func parseTwilioAccount(s *Settings, v string) bool {
	s.SMS.Twilio.Account = v
	return v == "" || twilioAccount.MatchString(v)
}

func parseTwilioToken(s *Settings, v string) bool {
	s.SMS.Twilio.AuthToken = secret.Text(v)
	return !hasControl(v)
}

func parseTwilioFrom(s *Settings, v string) bool {
	s.SMS.Twilio.From = v
	number, err := identity.Phone(v)
	return v == "" || twilioService.MatchString(v) || twilioSender.MatchString(v) || err == nil && number == v
}

func parseTwilioURL(s *Settings, v string) bool {
	s.SMS.Twilio.URL = strings.TrimSuffix(v, "/")
	return serviceURL(v)
}

func parseSMSCountries(s *Settings, v string) bool {
	if v == "" {
		return true
	}
	for one := range strings.SplitSeq(v, ",") {
		s.SMS.Countries = append(s.SMS.Countries, strings.ToUpper(strings.TrimSpace(one)))
	}
	slices.Sort(s.SMS.Countries)
	_, ok := sms.NewCountries(s.SMS.Countries)
	return ok
}

// Sent tells whether messages go to a provider.
func (s *SMS) Sent() bool { return s.URL != "" || s.Twilio.Account != "" }

// SMSOn tells whether there are messages to phones: a provider sends them, or the local mailbox shows them.
func (s *Settings) SMSOn() bool { return s.SMS.Sent() || s.LocalMailbox() }

// checkSMS refuses half a provider, two of them, and one without a list of countries.
func (s *Settings) checkSMS() error {
	set, t := &s.SMS, &s.SMS.Twilio
	webhook, twilio := set.URL != "" || set.Secret != "", t.Account != "" || t.AuthToken != "" || t.From != ""
	switch {
	case webhook && twilio:
		return errors.New("DRAGOMAN_SMS_URL and DRAGOMAN_TWILIO_ACCOUNT_SID are two ways to send messages; set one " +
			"of them")
	case webhook && (set.URL == "" || set.Secret == ""):
		return errors.New("DRAGOMAN_SMS_URL and DRAGOMAN_SMS_SECRET belong together; set both")
	case twilio && (t.Account == "" || t.AuthToken == "" || t.From == ""):
		return errors.New("DRAGOMAN_TWILIO_ACCOUNT_SID, DRAGOMAN_TWILIO_AUTH_TOKEN and DRAGOMAN_TWILIO_FROM belong " +
			"together; set all three")
	case set.Sent() && set.Countries == nil:
		return errors.New("DRAGOMAN_SMS_COUNTRIES is not set: strangers can cause messages that you pay for; " +
			"list the countries of your users, for example DE,AT,CH")
	}
	return nil
}
