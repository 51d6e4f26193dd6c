package password

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The two parts of the SHA-1 of "password".
const (
	listedPrefix = "5BAA6"
	listedRest   = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
)

// PW-07: only a line with the rest of the hash and a count above 0 rejects the password. After any other answer it
// passes, and a malformed answer is logged without the password or its hash.
func TestPW07_Answers(t *testing.T) {
	t.Parallel()
	const other = "1D2DA4053E34E76F6576ED1DA63134B5E2A"
	for name, c := range map[string]struct {
		status          int
		body            string
		refused, logged bool
	}{
		"listed":                 {200, other + ":2\r\n" + listedRest + ":10434004\r\n", true, false},
		"listed, lower case":     {200, strings.ToLower(listedRest) + ":3", true, false},
		"listed, no line end":    {200, other + ":2\n" + listedRest + ":1", true, false},
		"not listed":             {200, other + ":2\r\n", false, false},
		"padding":                {200, other + ":2\r\n" + listedRest + ":0\r\n", false, false},
		"nothing":                {200, "", false, false},
		"a page":                 {200, "<html>", false, true},
		"another form":           {200, listedRest, false, true},
		"no line at all":         {200, strings.Repeat("A", 2<<20), false, true},
		"too many requests":      {429, listedRest + ":5", false, true},
		"not there":              {404, "", false, true},
		"somewhere else instead": {302, "", false, true},
	} {
		var log bytes.Buffer
		list := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/range/"+listedPrefix || r.Header.Get("Add-Padding") != "true" || r.URL.RawQuery != "" {
				t.Errorf("%s: %s %v", name, r.URL, r.Header)
			}
			w.Header().Set("Location", "/range/"+listedPrefix+"/again")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		for _, base := range []string{list.URL + "/range", list.URL + "/range/"} {
			log.Reset()
			err := NewBreaches(base, slog.New(slog.NewJSONHandler(&log, nil))).Check(t.Context(), "password")
			if c.refused != fault.Is(err, fault.PasswordBreached) || !c.refused && err != nil ||
				c.logged != strings.Contains(log.String(), "not compared") {
				t.Errorf("%s: %v, log %s", name, err, &log)
			}
			if strings.Contains(strings.ToUpper(log.String()), listedPrefix) ||
				strings.Contains(log.String(), `"password"`) {
				t.Errorf("%s: the log tells of the password: %s", name, &log)
			}
		}
		list.Close()
	}
	if err := NewBreaches("", nil).Check(t.Context(), "password"); err != nil {
		t.Error(err)
	}
}

// PW-07: if the list is down or does not answer, the password passes after about a second, and the log says so.
func TestPW07_FailsOpen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts, and never answers
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	for name, address := range map[string]string{"silent": l.Addr().String(), "dead": dead.Addr().String()} {
		var log bytes.Buffer
		start := time.Now()
		list := NewBreaches("http://"+address+"/range/", slog.New(slog.NewJSONHandler(&log, nil)))
		err := list.Check(t.Context(), "password")
		if took := time.Since(start); err != nil || took > 5*time.Second ||
			!strings.Contains(log.String(), "not compared") || strings.Contains(log.String(), listedPrefix) {
			t.Errorf("%s: %v after %s, log %s", name, err, took, &log)
		}
	}
}
