package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// keeper has secrets in unexported fields, like the structs of other packages. fmt calls no methods there.
type keeper struct {
	master secret.Master
	key    secret.Key
}

func TestSecretsRedactThemselves(t *testing.T) {
	t.Parallel()
	const plain = "hunter2-hunter2"
	raw := secret.Generate()
	m, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	text := secret.Text(plain)
	if text.Reveal() != plain {
		t.Error("Reveal does not reveal")
	}
	type exported struct {
		Text secret.Text
		List []secret.Text
		Map  map[string]secret.Text
		Key  secret.Key
	}
	values := map[string]any{
		"text":         text,
		"text pointer": &text,
		"master":       m,
		"master value": *m,
		"key":          m.Key("x"),
		"struct": exported{
			Text: text,
			List: []secret.Text{text},
			Map:  map[string]secret.Text{"k": text},
			Key:  m.Key("x"),
		},
		"keeper": keeper{master: *m, key: m.Key("x")},
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for form, out := range renderings(value) {
				mustHide(t, form, out, plain, string(raw))
				if _, ok := value.(keeper); !ok && strings.Contains(form, "%") && !strings.HasSuffix(form, "T") &&
					!strings.Contains(out, "[redacted]") {
					t.Errorf("%s: %s does not say that it hides something", form, out)
				}
			}
		})
	}
}

// The derived keys are not known to the test, so it looks for any run of bytes.
func TestKeysAreHiddenInsideOtherStructs(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	bytesRun := regexp.MustCompile(`(0x)?[0-9a-f]{1,3}([ ,]+(0x)?[0-9a-f]{1,3}){4}|[0-9a-f]{64}`)
	for form, out := range renderings(keeper{master: *m, key: m.Key("x")}) {
		if bytesRun.MatchString(out) {
			t.Errorf("%s shows bytes: %s", form, out)
		}
	}
}

// renderings returns the value as fmt, slog and JSON write it.
func renderings(value any) map[string]string {
	out := map[string]string{"Sprint": fmt.Sprint(value), "Errorf": fmt.Errorf("x: %v", value).Error()}
	for _, verb := range "vsqxXdobcUeEfFgGtTz" {
		for _, flag := range []string{"", "+", "#", " ", "0", "-", "3", ".40"} {
			form := "%" + flag + string(verb)
			out[form] = fmt.Sprintf(form, value)
		}
	}
	var text, js bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&js, nil)).Info("m", "value", value)
	out["slog text"], out["slog json"] = text.String(), js.String()
	v1, _ := json.Marshal(value)
	v2, _ := jsonv2.Marshal(value)
	out["json"], out["json v2"] = string(v1), string(v2)
	if s, ok := value.(fmt.Stringer); ok {
		out["String"] = s.String()
	}
	if s, ok := value.(fmt.GoStringer); ok {
		out["GoString"] = s.GoString()
	}
	return out
}

// mustHide checks that out contains no secret and no start of one, in plain, hex or base64.
func mustHide(t *testing.T, form, out string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		for _, start := range []string{
			s[:6],
			hex.EncodeToString([]byte(s[:6])),
			fmt.Sprintf("% x", s[:6]),
			fmt.Sprintf("%#x", s[0]) + ", ",
			base64.StdEncoding.EncodeToString([]byte(s[:6])),
			strings.Trim(fmt.Sprint([]byte(s[:4])), "[]"),
		} {
			if strings.Contains(strings.ToLower(out), strings.ToLower(start)) {
				t.Errorf("%s shows the secret: %s", form, out)
			}
		}
	}
}
