package accounts

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestPW02_PW03_PW05_GoodPasswords registers with passwords of every kind and signs in with exactly those.
func TestPW02_PW03_PW05_GoodPasswords(t *testing.T) {
	t.Parallel()
	ascii72 := strings.Repeat("kT9 w", 14) + "zQ" // bcrypt would read no further than this
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		cases := []struct{ name, password, near string }{
			{"64 characters", strings.Repeat("a9 Xq-7w", 8), strings.Repeat("a9 Xq-7w", 8)[:63]},
			{"256 characters, 1024 bytes", strings.Repeat("😀🦉🌵🎷", 64), strings.Repeat("😀🦉🌵🎷", 63) + "😀🦉🌵"},
			{"72 bytes and one more", ascii72, ascii72 + "x"},
			{"spaces inside", "correct horse battery staple", "correcthorsebatterystaple"},
			{"a space at the end", "walnut piano seven ", "walnut piano seven"},
			{"a space at the start", " walnut piano seven", "walnut piano seven"},
			{"emoji", "🐙🌋🧭🪁🫐🪗🛶🧶", "🐙🌋🧭🪁🫐🪗🛶"},
			{"CJK", "馬正確電池釘書針", "马正确电池钉书针"},
			{"case", "Walnut Piano Seven", "walnut piano seven"},
			{"no composition rules", "zxqvkjwp", "Zxqvkjwp"},
			{"tab and odd signs", "a\tb;'\"<>\\%--€ß", "a b;'\"<>\\%--€ß"},
		}
		for i, c := range cases {
			email := fmt.Sprintf("p%d@example.com", i)
			if a := s.Registers(t, "email", email, "password", c.password); a.Code() != "" {
				t.Errorf("%s: %s", c.name, a.Raw)
				continue
			}
			if a := s.Login(t, email, c.near); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%s: what only looks like the password: %s", c.name, a.Raw)
			}
			if a := s.Login(t, email, c.password); a.Code() != "" {
				t.Errorf("%s: login: %s", c.name, a.Raw)
			}
		}
	})
}

// TestPW04_Normalisation signs in with the other spelling of an accent.
func TestPW04_Normalisation(t *testing.T) {
	t.Parallel()
	const composed, decomposed = "caf\u00e9 fabuleux", "cafe\u0301 fabuleux"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_PASSWORD_MIN_LENGTH=13")
		for name, c := range map[string]struct{ first, then string }{
			"composed":   {composed, decomposed},
			"decomposed": {decomposed, composed},
		} {
			if a := s.Registers(t, "email", name+"@example.com", "password", c.first); a.Code() != "" {
				t.Fatalf("%s: %s", name, a.Raw)
			}
			for _, password := range []string{c.first, c.then} {
				if a := s.Login(t, name+"@example.com", password); a.Code() != "" {
					t.Errorf("%s, then %+q: %s", name, password, a.Raw)
				}
			}
			if a := s.Login(t, name+"@example.com", "cafe fabuleux"); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%s, then without the accent: %s", name, a.Raw)
			}
		}
		// The length counts what is left after it: twelve characters are not thirteen.
		if a := s.Registers(t, "email", "x@example.com", "password",
			"cafe\u0301 fabuleu"); a.Code() != "PASSWORD_TOO_WEAK" {
			t.Errorf("twelve characters: %s", a.Raw)
		}
	})
}

// TestPW01_PW02_PW06_BadPasswords is what register refuses, why, and that nothing is made.
func TestPW01_PW02_PW06_BadPasswords(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, password, code string }{
		{"empty", "", "PASSWORD_TOO_WEAK"},
		{"seven characters", "zqxvkjw", "PASSWORD_TOO_WEAK"},
		{"seven characters of many bytes", "🐙🌋🧭🪁🫐🪗🛶", "PASSWORD_TOO_WEAK"},
		{"257 characters", strings.Repeat("a9 Xq-7w", 32) + "x", "INVALID_INPUT"},
		{"257 characters of four bytes", strings.Repeat("😀", 257), "INVALID_INPUT"},
		{"1025 bytes", strings.Repeat("😀", 256) + "x", "INVALID_INPUT"},
		{"100 KiB", strings.Repeat("k", 100<<10), "INVALID_INPUT"},
		{"common", "password123", "PASSWORD_BREACHED"},
		{"common, shouted", "PASSWORD123", "PASSWORD_BREACHED"},
		{"common digits", "1234567890", "PASSWORD_BREACHED"},
		{"common keys", "qwertyuiop", "PASSWORD_BREACHED"},
		{"common words", "iloveyou1", "PASSWORD_BREACHED"},
		{"the service", "dragoman", "PASSWORD_TOO_WEAK"},
		{"the service with a year", "Dragoman2026!", "PASSWORD_TOO_WEAK"},
		{"own email", "ada.lovelace@example.com", "PASSWORD_TOO_WEAK"},
		{"own email, shouted", "ADA.LOVELACE@EXAMPLE.COM", "PASSWORD_TOO_WEAK"},
		{"own local part", "ada.lovelace", "PASSWORD_TOO_WEAK"},
		{"own username", "countess-ada", "PASSWORD_TOO_WEAK"},
		{"own name", "Augusta Ada King", "PASSWORD_TOO_WEAK"},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for _, c := range cases {
			a := s.Registers(t, "email", "ada.lovelace@example.com", "username", "countess-ada", "name",
				"Augusta Ada King", "password", c.password)
			errs, _ := a.At("register", "userErrors").([]any)
			if a.Code() != c.code || len(errs) != 1 ||
				fmt.Sprint(errs[0].(map[string]any)["field"]) != "[input password]" ||
				errs[0].(map[string]any)["message"] == "" || a.At("register", "user") != nil ||
				a.At("register", "tokens") != nil {
				t.Errorf("%s: %.300s, want %s", c.name, a.Raw, c.code)
			}
		}
		if a := s.Registers(t, "email", "b@example.com", "password",
			strings.Repeat("k", 1<<20)); a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("1 MiB: %d", a.Status)
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
	})
}

// TestPW11_Column reads what is stored of a password.
func TestPW11_Column(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.RealHashes)
		s.Register(t, "a@example.com")
		s.Register(t, "b@example.com")
		hashes := harness.OpenSide(t, dsn).Texts(t, "SELECT password_hash FROM users")
		if len(hashes) != 2 || hashes[0] == hashes[1] || !form.MatchString(hashes[0]) || !form.MatchString(hashes[1]) {
			t.Errorf("the column holds %q", hashes)
		}
	})
}

// TestPW16_NoDefaultAccounts tries what other servers ship with.
func TestPW16_NoDefaultAccounts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("a fresh server has %d accounts", n)
		}
		for _, c := range [][2]string{
			{"admin", "admin"},
			{"admin", "password"},
			{"root", "root"},
			{"dragoman", "dragoman"},
			{"admin", ""},
		} {
			if a := s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", c[0], "password", c[1])); a.Code() !=
				"INVALID_CREDENTIALS" {
				t.Errorf("%s: %s", c, a.Raw)
			}
		}
	})
}

// TestID01_EmailVariants has one spelling of an address collide with the others, and two addresses not.
func TestID01_EmailVariants(t *testing.T) {
	t.Parallel()
	groups := [][]string{ // each group is one address
		{"Ada.L@Example.com", "ada.l@example.com", "ADA.L@EXAMPLE.COM", "  ada.l@example.com ", "ada.l@ｅxample.com"},
		{"adal@example.com", "AdaL@example.COM"}, // dots count
		{"ada.l+x@example.com"},                  // tags count
		{
			"ada@b\u00fccher.example", "ada@bu\u0308cher.example", "ADA@B\u00dcCHER.example",
			"ada@xn--bcher-kva.example",
			"ada@XN--BCHER-KVA.EXAMPLE",
		},
		{"ada.l@example.org"},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for _, group := range groups {
			first := s.Registers(t, "email", group[0], "password", harness.GoodPass)
			id := first.Text("register", "user", "id")
			if first.Code() != "" || id == "" {
				t.Fatalf("%s: %s", group[0], first.Raw)
			}
			if got := first.Text("register", "user", "email"); got != strings.TrimSpace(group[0]) {
				t.Errorf("%s is shown as %s", group[0], got)
			}
			for _, variant := range group[1:] {
				if a := s.Registers(t, "email", variant, "password", harness.GoodPass); a.Code() != "ALREADY_EXISTS" {
					t.Errorf("%+q after %+q: %s", variant, group[0], a.Raw)
				}
				if got := s.Login(t, variant, harness.GoodPass).Text("login", "user", "id"); got != id {
					t.Errorf("login as %+q: %q, want %q", variant, got, id)
				}
			}
		}
	})
}

// TestID02_ConcurrentRegistration registers one address, in several spellings, and one username, from many sides at
// once.
func TestID02_ConcurrentRegistration(t *testing.T) {
	t.Parallel()
	parallel := 12
	if harness.FullRun {
		parallel = 64
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for name, fields := range map[string]func(i int) map[string]any{
			"address": func(i int) map[string]any {
				return harness.InputOf("email", []string{"ada@example.com", "ADA@example.com", " ada@EXAMPLE.com"}[i%3],
					"password", harness.GoodPass)
			},
			"username": func(i int) map[string]any {
				return harness.InputOf("email", fmt.Sprintf("u%d@example.com", i), "username",
					[]string{"Countess", "countess"}[i%2], "password", harness.GoodPass)
			},
		} {
			s := harness.Start(t, dsn)
			before := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users")
			var made, taken atomic.Int32
			var wg sync.WaitGroup
			for i := range parallel {
				wg.Go(func() {
					a, err := harness.Send(s.URL, "", harness.RegisterDoc, fields(i))
					switch {
					case err != nil:
						t.Error(err)
					case a.Code() == "":
						made.Add(1)
					case a.Code() == "ALREADY_EXISTS":
						taken.Add(1)
					case a.Status != http.StatusServiceUnavailable:
						t.Errorf("%s: %d %s", name, a.Status, a.Raw)
					}
				})
			}
			wg.Wait()
			if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users") - before; n != 1 ||
				made.Load() != 1 || taken.Load() == 0 {
				t.Errorf("%s: %d rows, %d made, %d taken", name, n, made.Load(), taken.Load())
			}
		}
	})
}

// TestID03_ID04_ID05_RefusedIdentities is addresses and usernames that nobody may have.
func TestID03_ID04_ID05_RefusedIdentities(t *testing.T) {
	t.Parallel()
	emails := []string{
		"", " ", "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "a b@example.com",
		"ada@exa mple.com",
		"ada@example.com\r\nBcc: eve@example.com", "ada@exa\nmple.com", "ada\t@example.com", "a\x00da@example.com",
		"ada@example.com\x00", "ad\u00e4@example.com", "\u0430da@example.com", "a\u200bda@example.com",
		"ada@exam\u200bple.com",
		"\u202eada@example.com", "ada@example..com", ".ada@example.com", "ada.@example.com", "a..da@example.com",
		"\"ada\"@example.com", "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@-example.com", "ada(comment)@example.com",
		"Ada <ada@example.com>", "ada@example.com,eve@example.com", strings.Repeat("a", 65) + "@example.com",
		"a@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "example.com", "\ufeffada@example.com",
		"ada@ex\u00adample.com",
	}
	usernames := []string{
		"", "ab", strings.Repeat("a", 33), "Admin", "ADMIN", "admin", "ad.min", "\u0430dmin", "adm\u0456n", "root",
		"support", "me", "null",
		"victim@x", "victim@example.com", "a b c", "ada\u00e9", "ada\u200b", "ada\x00", "ada\r\nx", "...", "ada/x",
		"ada%41", "ＡＤＡ１",
		"0190f3a2-7b1c-7def-8abc-0123456789ab", "user_01h455vb4pex5vsknk084sn02q",
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for _, email := range emails {
			if a := s.Registers(t, "email", email, "password", harness.GoodPass); a.Code() != "INVALID_INPUT" &&
				a.Code() != "BAD_USER_INPUT" {
				t.Errorf("the address %+.80q: %s", email, a.Raw)
			}
		}
		for _, username := range usernames {
			if a := s.Registers(t, "email", "ada@example.com", "username", username, "password",
				harness.GoodPass); a.Code() != "INVALID_INPUT" && a.Code() != "BAD_USER_INPUT" {
				t.Errorf("the username %+.80q: %s", username, a.Raw)
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 0 {
			t.Fatalf("%d accounts were made", n)
		}
		if a := s.Registers(t, "email", "ada@example.com", "username", "Ada.L", "password",
			harness.GoodPass); a.Text("register", "user", "username") != "Ada.L" {
			t.Errorf("Ada.L: %s", a.Raw)
		}
		for _, username := range []string{"ada.l", "ADA.L", " Ada.L "} {
			if a := s.Registers(t, "email", "b@example.com", "username", username, "password",
				harness.GoodPass); a.Code() != "ALREADY_EXISTS" {
				t.Errorf("%s after Ada.L: %s", username, a.Raw)
			}
			if a := s.GraphQL(t, "", harness.LoginDoc,
				harness.InputOf("username", username, "password", harness.GoodPass)); a.Code() != "" {
				t.Errorf("login as %s: %s", username, a.Raw)
			}
		}
		// ID-05: each identifier is looked up in its own column, and one of them is given.
		for _, fields := range []map[string]any{
			harness.InputOf("username", "ada@example.com", "password", harness.GoodPass),
			harness.InputOf("email", "ada.l", "password", harness.GoodPass),
		} {
			if a := s.GraphQL(t, "", harness.LoginDoc, fields); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%v: %s", fields, a.Raw)
			}
		}
		for _, fields := range []map[string]any{
			harness.InputOf("password", harness.GoodPass),
			harness.InputOf("email", "ada@example.com", "username", "ada.l", "password", harness.GoodPass),
			harness.InputOf("email", nil, "username", nil, "password", harness.GoodPass),
		} {
			if a := s.GraphQL(t, "", harness.LoginDoc, fields); a.Code() != "INVALID_INPUT" ||
				a.At("login", "tokens") != nil {
				t.Errorf("%v: %s", fields, a.Raw)
			}
		}
	})
}

// TestID06_HostileCharacters sends NUL, lone surrogates and broken UTF-8 in every field, as raw JSON.
func TestID06_HostileCharacters(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"NUL": `\u0000`, "a lone high surrogate": `\ud800`, "a lone low surrogate": `\udfff`,
		"surrogates the wrong way round": `\udc00\ud800`,
		"an overlong NUL":                "\xc0\x80", "an overlong slash": "\xc0\xaf",
		"a surrogate in UTF-8": "\xed\xa0\x80", "a lone byte": "\xff",
		"beyond Unicode": "\xf4\x90\x80\x80", "a raw NUL": "\x00", "a raw line break": "\n",
	}
	templates := map[string]string{
		"email":    `{"query":%q,"variables":{"input":{"email":"ad%s@example.com","password":"zxqvkjwp zxqv"}}}`,
		"password": `{"query":%q,"variables":{"input":{"email":"ada@example.com","password":"zxqvkj%swp zxqv"}}}`,
		"username": `{"query":%q,"variables":{"input":{"email":"ada@example.com","username":"ada%slove",` +
			`"password":"zxqvkjwp zxqv"}}}`,
		"name": `{"query":%q,"variables":{"input":{"email":"ada@example.com","name":"ada%slove",` +
			`"password":"zxqvkjwp zxqv"}}}`,
		"metadata": `{"query":%q,"variables":{"input":{"email":"ada@example.com","metadata":{"a":"x%s"},` +
			`"password":"zxqvkjwp zxqv"}}}`,
		"metadata name": `{"query":%q,"variables":{"input":{"email":"ada@example.com","metadata":{"a%s":"x"},` +
			`"password":"zxqvkjwp zxqv"}}}`,
		"metadata deep": `{"query":%q,"variables":{"input":{"email":"ada@example.com",` +
			`"metadata":{"a":[{"b":["%s"]}]},"password":"zxqvkjwp zxqv"}}}`,
	}
	logins := map[string]string{
		"login email":    `{"query":%q,"variables":{"input":{"email":"ad%s@example.com","password":"zxqvkjwp zxqv"}}}`,
		"login username": `{"query":%q,"variables":{"input":{"username":"ad%sx","password":"zxqvkjwp zxqv"}}}`,
		"login password": `{"query":%q,"variables":{"input":{"email":"ada@example.com","password":"zxqvkj%swp zxqv"}}}`,
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		try := func(field, document, template string) {
			for name, text := range texts {
				res, body := harness.Fetched(t, "POST", s.URL+"/graphql", "application/json",
					fmt.Sprintf(template, document, text))
				if res.StatusCode >= 500 || strings.Contains(body, "INTERNAL") ||
					strings.Contains(body, `"userErrors":[]`) ||
					!(strings.Contains(body, "INVALID_INPUT") || strings.Contains(body, "BAD_USER_INPUT")) {
					// A sign-in may also just fail.
					if !strings.Contains(body, "INVALID_CREDENTIALS") || !strings.HasPrefix(field, "login") {
						t.Errorf("%s in %s: %d %s", name, field, res.StatusCode, body)
					}
				}
			}
		}
		for field, template := range templates {
			try(field, harness.RegisterDoc, template)
		}
		for field, template := range logins {
			try(field, harness.LoginDoc, template)
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
	})
}

// TestID07_TypeConfusion sends other types where text is asked for: an error of the request, before anything runs.
func TestID07_TypeConfusion(t *testing.T) {
	t.Parallel()
	values := []any{
		map[string]any{"$ne": ""},
		map[string]any{},
		[]any{},
		[]any{"ada@example.com"},
		1, 1.5, true,
		[]any{nil},
		map[string]any{"toString": "x"},
		-1, 1e300,
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		for _, v := range append(values, nil) {
			for _, fields := range []map[string]any{
				harness.InputOf("email", v, "password", harness.GoodPass),
				harness.InputOf("email", "ada@example.com", "password", v),
				{"input": v},
			} {
				for _, document := range []string{harness.LoginDoc, harness.RegisterDoc} {
					if input, _ := fields["input"].(map[string]any); v == nil && input != nil &&
						(input["password"] == nil) == (document == harness.RegisterDoc) {
						// null is as good as none for the email of a sign-in and for the password of an account
						continue
					}
					a := s.GraphQL(t, "", document, fields)
					if a.Data != nil || a.Code() != "BAD_USER_INPUT" {
						t.Errorf("%v: %s", fields, a.Raw)
					}
				}
			}
			if a := s.GraphQL(t, "", harness.RefreshDoc, map[string]any{"token": v}); a.Data != nil ||
				a.Code() != "BAD_USER_INPUT" {
				t.Errorf("refresh with %v: %s", v, a.Raw)
			}
		}
		for _, literal := range []string{`{a: 1}`, `["x"]`, `1`, `true`, `X`, `null`} {
			a := s.GraphQL(t, "", `mutation { login(input: {email: "ada@example.com", password: `+literal+
				`}) { userErrors { code } } }`, nil)
			if a.Data != nil || a.Code() != "BAD_USER_INPUT" {
				t.Errorf("the literal %s: %s", literal, a.Raw)
			}
		}
		// AZ-01, SE-17: what is no field of the input is refused, not skipped.
		for _, extra := range []string{
			"role", "status", "id", "number", "emailVerified", "createdAt", "passwordHash",
			"EMAIL",
		} {
			a := s.Registers(t, "email", "eve@example.com", "password", harness.GoodPass, extra, "admin")
			if a.Data != nil || a.Code() != "BAD_USER_INPUT" {
				t.Errorf("%s: %s", extra, a.Raw)
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// TestRegistrationSwitch closes registration to the public.
func TestRegistrationSwitch(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		open := harness.Start(t, dsn)
		open.Register(t, "ada@example.com")
		closed := harness.Start(t, dsn, "DRAGOMAN_REGISTRATION=off")
		const info = `{ serverInfo { registrationOpen } }`
		if open.GraphQL(t, "", info, nil).At("serverInfo", "registrationOpen") != true ||
			closed.GraphQL(t, "", info, nil).At("serverInfo", "registrationOpen") != false {
			t.Error("serverInfo does not tell")
		}
		// The same for an address that is taken: a closed door tells nothing about who is inside.
		fresh := closed.Registers(t, "email", "eve@example.com", "password", harness.GoodPass)
		known := closed.Registers(t, "email", "ada@example.com", "password", harness.GoodPass)
		if fresh.Code() != "FEATURE_DISABLED" || fresh.Raw != known.Raw {
			t.Errorf("closed: %s and %s", fresh.Raw, known.Raw)
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM users"); n != 1 {
			t.Errorf("%d accounts", n)
		}
		if a := closed.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "" {
			t.Errorf("login: %s", a.Raw)
		}
	})
}

// TestAZ04_NobodyRegistersAsAdmin registers many at once, on an empty server: the first is nobody special.
func TestAZ04_NobodyRegistersAsAdmin(t *testing.T) {
	t.Parallel()
	n := 8
	if harness.FullRun {
		n = 50
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				a, err := harness.Send(s.URL, "", harness.RegisterDoc,
					harness.InputOf("email", fmt.Sprintf("u%d@example.com", i), "password", harness.GoodPass,
						"metadata", map[string]any{"role": "admin", "roles": []string{"admin"}, "sub": "x"}))
				if err != nil {
					t.Error(err)
				} else if access := a.Text("register", "tokens", "accessToken"); access != "" {
					if claims := harness.ClaimsOf(t, access); fmt.Sprint(claims["roles"]) != "[user]" ||
						claims["sub"] == "x" {
						t.Errorf("claims %v", claims)
					}
				}
			})
		}
		wg.Wait()
		sideways := harness.OpenSide(t, dsn)
		if made, admins := sideways.Count(t, "SELECT count(*) FROM users"),
			sideways.Count(t, "SELECT count(*) FROM users WHERE role <> 'user'"); made == 0 || admins != 0 {
			t.Errorf("%d accounts, %d of them admins", made, admins)
		}
	})
}
