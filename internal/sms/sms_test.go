package sms_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/sms"
)

// MF-16: a number is of the country with the longest calling code; what is of no country is allowed nowhere.
func TestMF16_Countries(t *testing.T) {
	t.Parallel()
	all, ok := sms.NewCountries(nil)
	if !ok {
		t.Fatal("every country is one")
	}
	few, ok := sms.NewCountries([]string{"DE", "CA", "KZ"})
	if !ok {
		t.Fatal("these are countries")
	}
	for number, want := range map[string]struct {
		country string
		allowed bool
	}{
		"+4915550100101": {"DE", true}, "+12125550100": {"US", true}, "+14165550100": {"US", true},
		"+18765550100": {"JM", false}, "+12425550100": {"BS", false}, "+77015550100": {"KZ", true},
		"+79165550100": {"RU", false}, "+447700900123": {"JE", false}, "+447400900123": {"GB", false},
		"+447911123456": {"GG", false}, "+59995550100": {"CW", false}, "+881612345678": {"", false},
		"+9791234567890": {"", false}, "+80012345678": {"", false}, "+2101234567": {"", false},
	} {
		if got := all.Of(number); got != want.country || few.Allows(number) != want.allowed ||
			all.Allows(number) != (got != "") {
			t.Errorf("%s is of %q, allowed %v", number, got, few.Allows(number))
		}
	}
	for _, none := range []string{"de", "XX", "49", ""} {
		if _, ok := sms.NewCountries([]string{none}); ok {
			t.Errorf("%q is no country", none)
		}
	}
}

// A message fits into two parts of 160 characters at most, in the language that is wanted, and its last line lets the
// page of the server alone fill the code in.
func TestText(t *testing.T) {
	t.Parallel()
	for wanted, begin := range map[string]string{
		"": "012345 is your code to sign in", "de-CH, en;q=0.5": "012345 ist Ihr Code zur Anmeldung",
		"fr": "012345 is your code", "nonsense;;": "012345 is your code",
	} {
		text := sms.Text(sms.KindLogin, "012345", strings.Repeat("Example ", 20), "auth.example.com", 10*time.Minute,
			wanted)
		if !strings.HasPrefix(text, begin) || !strings.HasSuffix(text, "\n\n@auth.example.com #012345") ||
			len(text) > 200 ||
			!strings.Contains(text, "10 ") {
			t.Errorf("%q: %q", wanted, text)
		}
	}
}

// Twilio gets the form that its API documents, and its refusals are permanent where the message is at fault. Neither
// the number nor the text nor the token is in an error.
func TestTwilio(t *testing.T) {
	t.Parallel()
	const account, token = "AC0123456789abcdef0123456789abcdef", "the-auth-token"
	status, answer, form := 0, "", map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/2010-04-01/Accounts/"+account+"/Messages.json" || user != account || password != token ||
			r.Method != http.MethodPost || r.ParseForm() != nil {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		clear(form)
		for name, values := range r.PostForm {
			form[name] = strings.Join(values, "|")
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	message := sms.Message{ID: "sms_1", To: "+4915550100101", Text: "012345 is your code", Kind: sms.KindLogin}
	for _, c := range []struct {
		status    int
		answer    string
		failed    bool
		permanent bool
	}{
		{201, `{"sid":"SM1","status":"queued"}`, false, false},
		{400, `{"code":21211,"message":"The 'To' number +4915550100101 is not valid","status":400}`, true, true},
		{401, `{"code":20003}`, true, false},
		{429, `{"code":20429}`, true, false},
		{503, `no JSON`, true, false},
		{302, ``, true, false},
	} {
		status, answer = c.status, c.answer
		for from, field := range map[string]string{
			"+15005550006": "From", "MG0123456789abcdef0123456789abcdef": "MessagingServiceSid",
		} {
			err := sms.NewTwilio(sms.Twilio{URL: server.URL, Account: account, AuthToken: token, From: from}).
				Send(t.Context(), message)
			f, _ := errors.AsType[*sms.Failure](err)
			if (err != nil) != c.failed || (f != nil) != c.failed || f != nil && f.Permanent != c.permanent {
				t.Errorf("%d: %v", c.status, err)
			}
			if form["To"] != message.To || form["Body"] != message.Text || form[field] != from || len(form) != 3 {
				t.Errorf("the form is %v", form)
			}
			if err != nil && (strings.Contains(err.Error(), message.To) || strings.Contains(err.Error(), token)) {
				t.Errorf("the error tells %q", err)
			}
		}
	}
	server.Close()
	err := sms.NewTwilio(sms.Twilio{URL: server.URL, Account: account, AuthToken: token, From: "X"}).Send(t.Context(),
		message)
	if f, _ := errors.AsType[*sms.Failure](err); err == nil || f != nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("nobody answers: %v", err)
	}
}
