package password

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/vectors.json
var vectorsJSON []byte

// vector is a hash that another implementation made; testdata/vectors.py has them.
type vector struct{ System, Text, Password, Kind, Wrong string }

func vectors(tb testing.TB) (all []vector) {
	tb.Helper()
	if err := json.Unmarshal(vectorsJSON, &all); err != nil || len(all) < 150 {
		tb.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

func (v vector) read() (Foreign, error) {
	if strings.HasPrefix(v.System, "Keycloak") {
		return KeycloakHash([]byte(v.Text))
	}
	return ReadForeign(v.Text)
}

// PW-12: a hash that another implementation made is read, and found right for its password alone. Neither a hash with
// another sum nor the dummy of its kind is right for any.
func TestPW12_Vectors(t *testing.T) {
	t.Parallel()
	h := NewHasher(2)
	for _, v := range vectors(t) {
		f, err := v.read()
		if err != nil || f.Kind != v.Kind {
			t.Errorf("%s: %s: %+v, %v", v.System, v.Text, f, err)
			continue
		}
		again, err := ReadForeign(f.Text)
		if err != nil || again != f {
			t.Errorf("%s: %s is read as %+v, %v; want %+v", v.System, f.Text, again, err, f)
		}
		dummy, err := ReadForeign(f.Dummy)
		if err != nil || dummy.Kind != f.Kind || dummy.Text != f.Dummy {
			t.Errorf("%s: the dummy %s is read as %+v, %v", v.System, f.Dummy, dummy, err)
		}
		other := []byte(f.Text)
		at := len(other) - 12 // within the sum
		if strings.HasPrefix(f.Text, "{") {
			at = strings.IndexByte(f.Text, '}') + 4
		}
		if other[at]++; other[at-1] == 'A' || !strings.Contains(cryptAlphabet[2:], string(other[at])) {
			other[at] = 'A'
		}
		for _, c := range []struct {
			text, password string
			want           bool
		}{
			{f.Text, v.Password, true},
			{f.Text, v.Wrong, false},
			{f.Text, strings.ToUpper(v.Password), false},
			{f.Text, "", false},
			{string(other), v.Password, false},
			{f.Dummy, v.Password, false},
		} {
			if ok, err := h.Verify(t.Context(), c.text, c.password); ok != c.want || err != nil {
				t.Errorf("%s: %s with %q: %v, %v", v.System, c.text, c.password, ok, err)
			}
		}
	}
}

// PW-13: bcrypt reads 72 bytes of a password, and whoever typed more where the hash is from signs in with it.
func TestPW13_LongPasswords(t *testing.T) {
	t.Parallel()
	h, found := NewHasher(1), 0
	for _, v := range vectors(t) {
		if len(v.Password) <= bcryptKey || !strings.HasPrefix(v.Kind, "bcrypt ") {
			continue
		}
		found++
		for typed, want := range map[string]bool{
			v.Password:                    true,
			v.Password[:bcryptKey]:        true,
			v.Password[:bcryptKey] + "yz": true,
			v.Password[:bcryptKey-1]:      false,
		} {
			if ok, err := h.Verify(t.Context(), v.Text, typed); ok != want || err != nil {
				t.Errorf("%s: %d bytes: %v, %v", v.System, len(typed), ok, err)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d vectors of bcrypt with a long password", found)
	}
}

// PW-13: a hash of crypt_blowfish's old fault is verified with the fault, and one of the corrected versions without.
func TestPW13_SignExtension(t *testing.T) {
	t.Parallel()
	const salt = "$05$/OK.fbVrR/bpIqNJ5ianF."
	const faulty, right = "CE5elHaaO4EbggVDjb8P19RukzXSM3e", "Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"
	for text, want := range map[string]bool{ // from the tests of crypt_blowfish
		"$2x" + salt + faulty: true, "$2y" + salt + faulty: false, "$2a" + salt + faulty: false,
		"$2x" + salt + right: false, "$2y" + salt + right: true, "$2a" + salt + right: true,
	} {
		h, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Equal(h.derive([]byte("\xa3")), h.sum); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// The hash of an account of a Firebase project is read with the parameters of the project, in base64 of either
// alphabet.
func TestFirebaseHash(t *testing.T) {
	t.Parallel()
	p := FirebaseParams{
		SignerKey:     "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
		SaltSeparator: "Bw==", Rounds: 8, MemCost: 14,
	}
	const salt = "42xEC+ixf3L2lw=="
	const hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="
	web := strings.NewReplacer("+", "-", "/", "_")
	var texts []string
	for _, c := range [][2]string{{salt, hash}, {web.Replace(salt), strings.TrimRight(web.Replace(hash), "=")}} {
		f, err := FirebaseHash(p, c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, f.Text)
	}
	if ok, err := NewHasher(1).Verify(t.Context(), texts[0], "user1password"); !ok || err != nil || texts[0] != texts[1] {
		t.Errorf("%q: %v, %v", texts, ok, err)
	}
	for name, change := range map[string]func(*FirebaseParams){
		"signer key": func(p *FirebaseParams) { p.SignerKey = p.SignerKey[:40] },
		"log2 N":     func(p *FirebaseParams) { p.MemCost = 99 },
		"r is 0":     func(p *FirebaseParams) { p.Rounds = 0 },
		"parameters": func(p *FirebaseParams) { p.SaltSeparator = "Bw==,x" },
	} {
		other := p
		change(&other)
		if _, err := FirebaseHash(other, salt, hash); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A credential of Keycloak that is no password that can be verified is refused in words.
func TestKeycloakHash(t *testing.T) {
	t.Parallel()
	for credential, want := range map[string]string{
		`{"type":"otp","secretData":"{}"}`:          "want password",
		`{"type":"password","secretData":"{"}`:      "not JSON",
		`[]`:                                        "not JSON",
		`{"type":"password"}`:                       "algorithm",
		`{"algorithm":"pbkdf2-md5","salt":"AAAA"}`:  "the sum has 0 bytes",
		`{"algorithm":"bcrypt"}`:                    "want pbkdf2",
		`{"algorithm":"pbkdf2-sha256","salt":"!"}`:  "salt",
		`{"algorithm":"argon2","hashIterations":1}`: "parameters",
		`{"algorithm":"pbkdf2-sha256","salt":"AAAA","value":"` + strings.Repeat("A", 43) + `","hashIterations":99999999}`: "at most",
	} {
		if _, err := KeycloakHash([]byte(credential)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", credential, err, want)
		}
	}
}

// PW-12: what Verify could not check is refused within microseconds, and the error says what is wrong.
func TestPW12_Malformed(t *testing.T) {
	t.Parallel()
	const (
		bcryptRest = "$abcdefghijklmnopqrstuuO.T0xOeEVlIVLtbq1WcmDPYbl/LUdPy"
		salt, sum  = "c2l4dGVlbiBieXRlcyBvaw", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
	)
	for text, want := range map[string]string{
		"":                                                                       "empty",
		"hunter2":                                                                "unknown format",
		"5f4dcc3b5aa765d61d8327deb882cf99":                                       "unknown format",
		strings.Repeat("$2b$", 1<<18):                                            "at most 1024 are read",
		"$2b$10" + bcryptRest + "\n":                                             "white space",
		"$2b$10\x00" + bcryptRest[1:]:                                            "white space",
		"$2b$10" + bcryptRest[:53]:                                               "59 characters; want 60",
		"$2b$15" + bcryptRest:                                                    "at most 14 is verified",
		"$2b$31" + bcryptRest:                                                    "at most 14 is verified",
		"$2b$03" + bcryptRest:                                                    "want at least 4",
		"$2b$+5" + bcryptRest:                                                    "not a number",
		"$2c$05" + bcryptRest:                                                    "want $2a$",
		"$2b$05" + bcryptRest[:53] + "#":                                         "not in the base64 of bcrypt",
		"$argon2id$m=64,t=1,p=1$" + salt + "$" + sum:                             "want version 1.3",
		"$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + sum:                        "want version 1.3",
		"$argon2x$v=19$m=64,t=1,p=1$" + salt + "$" + sum:                         "want argon2id",
		"$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + sum:                   "at most 262144",
		"$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + sum:                    "at most 4",
		"$argon2id$v=19$m=64,t=1,p=1,keyid=x$" + salt + "$" + sum:                "want the parameters m, t, p",
		"$argon2id$v=19$m=64,t=1,p=255$" + salt + "$" + sum:                      "at most 16",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt:                                    "5 parts",
		"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + sum[:41]:                   "truncated",
		"$scrypt$ln=18,r=8,p=1$" + salt + "$" + sum:                              "at most 128 MiB",
		"$scrypt$ln=17,r=8,p=3$" + salt + "$" + sum:                              "product of N, r and p",
		"$scrypt$ln=99999999999999999999,r=8,p=1$" + salt + "$" + sum:            "at most 20",
		"$scrypt$ln=14,r=8,p=1$" + salt + "$" + sum[:12]:                         "want 16 to 512",
		"scrypt$1000$salt$8$1$" + sum:                                            "no power of two",
		"$pbkdf2-sha256$99999999$" + salt + "$" + sum:                            "at most",
		"$pbkdf2-sha256$0$" + salt + "$" + sum:                                   "at least 1",
		"$pbkdf2-md5$1000$" + salt + "$" + sum:                                   "want SHA-1",
		"$pbkdf2-sha256$i=1,l=31$" + salt + "$" + sum:                            "l says 31",
		"$pbkdf2-sha256$1$" + strings.Repeat("AAAA", 60) + "$" + sum:             "the salt has 180 bytes",
		"$pbkdf2-sha256$1$" + salt + "$" + sum + "=":                             "",
		"$pbkdf2-sha256$1$" + salt + "$" + sum + "==":                            "not base64",
		"$pbkdf2-sha256$1$s@lt$" + sum:                                           "not base64",
		"pbkdf2_sha256$1$$" + sum:                                                "the salt has 0 bytes",
		"{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=":                                     "want 21 to",
		"{SSHA384}" + sum:                                                        "want {SSHA}",
		"{MD5}" + sum:                                                            "unknown format",
		"$6$rounds=999999999$salt$" + strings.Repeat(".", 86):                    "at most 700000",
		"$6$rounds=10$salt$" + strings.Repeat(".", 86):                           "at least 1000",
		"$6$salt$" + strings.Repeat(".", 85):                                     "truncated",
		"$6$salt$" + strings.Repeat(".", 85) + "z":                               "truncated",
		"$6$$" + strings.Repeat(".", 86):                                         "the salt has 0 bytes",
		"$5$seventeen-letters$" + strings.Repeat(".", 43):                        "the salt has 17 bytes",
		"$P$" + strings.Repeat("z", 31):                                          "base64 of crypt",
		"$P$z" + strings.Repeat(".", 30):                                         "at most 18",
		"$P$B12345678" + strings.Repeat(".", 21):                                 "33 characters",
		"$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=" + sum + "$" + salt + "$" + salt: "truncated",
		"$fbscrypt$v=2,n=14,r=8,p=1,ss=Bw==,sk=" + sum + "$" + salt + "$" + sum:  "want version 1",
		"$fbscrypt$v=1,n=30,r=8,p=1,ss=Bw==,sk=" + sum + "$" + salt + "$" + sum:  "at most 20",
	} {
		began := time.Now()
		_, err := ReadForeign(text)
		took := time.Since(began)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, want %q", text, err, want)
		}
		if err != nil && len(text) > 40 && strings.Contains(err.Error(), text[len(text)-20:]) {
			t.Errorf("%.80q is in its error: %v", text, err)
		}
		if took > 20*time.Millisecond {
			t.Errorf("%.80q took %v", text, took)
		}
		if _, err := NewHasher(1).Verify(t.Context(), text, "x"); text != "" && (err == nil) != (want == "") {
			t.Errorf("Verify %.80q: %v", text, err)
		}
	}
}

// FuzzReadForeign: no text panics, and what is accepted has one text, and is within the bounds on cost.
func FuzzReadForeign(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one, err := ReadForeign(text)
		if err != nil {
			return
		}
		again, err := ReadForeign(one.Text)
		if err != nil || again != one {
			t.Errorf("%q is %+v, and that %+v, %v", text, one, again, err)
		}
		if dummy, err := ReadForeign(one.Dummy); err != nil || dummy.Kind != one.Kind {
			t.Errorf("%q has the dummy %q: %v", text, one.Dummy, err)
		}
		if seconds := estimate(one.Kind); seconds > 1.5 {
			t.Errorf("%q takes about %.1f seconds", text, seconds)
		}
	})
}

// estimate says how many seconds a hash of a kind takes, as measured by BenchmarkBounds.
func estimate(kind string) float64 {
	var a, b, c int
	scan := func(format string, to ...any) bool {
		n, err := fmt.Sscanf(kind, format, to...)
		return err == nil && n == len(to)
	}
	var name string
	switch {
	case scan("%s m=%d,t=%d,p=%d", &name, &a, &b, &c):
		return float64(a*b) / (1 << 20)
	case scan("bcrypt %d", &a), scan("bcrypt-sha256 %d", &a), scan("bcrypt-wordpress %d", &a):
		return float64(int(1)<<a) / (1 << 14)
	case scan("scrypt ln=%d,r=%d,p=%d", &a, &b, &c), scan("fbscrypt n=%d,r=%d,p=%d", &a, &b, &c):
		return float64(b*c<<a) / (3 << 20)
	case scan("pbkdf2-sha512 %d x%d", &a, &b), scan("pbkdf2-sha512 %d", &a):
		return float64(a*max(b, 1)) / 1_800_000
	case scan("pbkdf2-sha1 %d x%d", &a, &b), scan("pbkdf2-sha256 %d x%d", &a, &b),
		scan("pbkdf2-sha1 %d", &a), scan("pbkdf2-sha256 %d", &a):
		return float64(a*max(b, 1)) / 4_400_000
	case scan("sha256-crypt %d", &a), scan("sha512-crypt %d", &a):
		return float64(a) / 700_000
	case scan("phpass %d", &a):
		return float64(int(1)<<a) / (1 << 19)
	case strings.HasPrefix(kind, "ssha"):
		return 0
	}
	return math.Inf(1)
}

// PW-13: a hash is made anew where it covers all that was typed, and only there.
func TestPW13_Renews(t *testing.T) {
	t.Parallel()
	h, found := NewHasher(1), 0
	for _, v := range vectors(t) {
		f, err := v.read()
		if err != nil {
			t.Fatal(err)
		}
		covers := !strings.HasPrefix(v.Kind, "bcrypt ") || len(v.Password) <= bcryptKey
		if got := h.Renews(f.Text, v.Password); got != covers && v.Kind != current().kind() {
			t.Errorf("%s, %s with %d bytes: %v", v.System, v.Kind, len(v.Password), got)
		}
		if strings.HasPrefix(f.Text, "$wp$") {
			found++
			if h.Renews(f.Text, v.Password+" ") {
				t.Errorf("%s: white space becomes a part of the password", v.System)
			}
		}
	}
	if found == 0 {
		t.Error("no vector of WordPress")
	}
	ours, err := h.Hash(t.Context(), "a password of ours")
	if err != nil || h.Renews(ours, "a password of ours") {
		t.Errorf("one of ours is made anew (%v)", err)
	}
}
