package browser

import (
	"encoding/base32"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// person is somebody with a password and a phone, at a browser.
type person struct {
	mailReader
	t      *testing.T
	s      *harness.Instance
	secret []byte // of the app on the phone
}

// at waits for a page by its heading.
func (p *person) at(title string) {
	p.t.Helper()
	p.WaitFor(`document.readyState === "complete" && document.querySelector("h1")?.textContent === ` +
		strconv.Quote(title))
}

// press clicks the button whose text begins so.
func (p *person) press(text string) {
	p.t.Helper()
	p.Run(chromedp.Click(chromedp.JSPath(`[...document.querySelectorAll("main button, main a, main ` +
		`summary")].find((b) => ` +
		`b.checkVisibility() && b.textContent.trim().startsWith(` + strconv.Quote(text) + `))`)))
}

// fill fills fields in and sends their form.
func (p *person) fill(fields ...string) {
	p.t.Helper()
	for n := 0; n < len(fields); n += 2 {
		webtest.Eval[chromedp.Void](p.Page, `document.getElementById(`+strconv.Quote(fields[n])+`).select()`)
		p.Run(chromedp.KeyEvent(fields[n+1]))
	}
	p.Run(chromedp.KeyEvent("\r"))
}

// problem waits for a problem that begins so.
func (p *person) problem(text string) {
	p.t.Helper()
	p.WaitFor(`document.readyState === "complete" && document.getElementById("problem").textContent.startsWith(` +
		strconv.Quote(text) + `)`)
}

// code is what the phone shows next.
func (p *person) code() string {
	p.t.Helper()
	p.s.Clock.Add(totp.Period)
	code, err := totp.Code(p.secret, p.s.Clock.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// scan reads the QR code from what the window shows, as the camera of a phone does.
func (p *person) scan() {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "qr.png")
	p.Screenshot(file)
	f, err := os.Open(file)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		p.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		p.t.Fatal(err)
	}
	found, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		p.t.Fatalf("no QR code is read from the page: %v", err)
	}
	uri, err := url.Parse(found.GetText())
	if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" {
		p.t.Fatalf("the QR code says %q", found.GetText())
	}
	secret := uri.Query().Get("secret")
	typed := webtest.Eval[string](p.Page, `document.getElementById("key").textContent`)
	if !regexp.MustCompile(`^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$`).MatchString(typed) ||
		strings.ReplaceAll(typed, " ", "") != secret {
		p.t.Errorf("the key to type is %q, the QR code has another one", typed)
	}
	if p.secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err != nil {
		p.t.Fatal(err)
	}
}

// signIn signs in by the password.
func (p *person) signIn(name string) {
	p.t.Helper()
	p.at("Sign in")
	p.fill("who", name, "password", harness.GoodPass)
}

// signOut signs out on the page of the account.
func (p *person) signOut() {
	p.t.Helper()
	p.at("Security")
	p.Run(chromedp.Click(chromedp.JSPath(`document.querySelector("input[value=leave]").form.querySelector("button")`)))
	p.at("Sign in")
}

// inspect looks at a page in a small dark window and a large light one, and runs axe over it.
func (p *person) inspect(name string) {
	p.t.Helper()
	for _, w := range []webtest.Window{
		{Name: "phone-dark", Width: 390, Height: 844, Scheme: "dark"},
		{Name: "phone-light", Width: 390, Height: 844, Scheme: "light"},
		{Name: "desktop-dark", Width: 1280, Height: 900, Scheme: "dark"},
		{Name: "desktop-light", Width: 1280, Height: 900, Scheme: "light"},
	} {
		if os.Getenv("DRAGOMAN_SCREENSHOTS") == "" && w.Name != "phone-dark" && w.Name != "desktop-light" {
			continue
		}
		p.Look(w, "person-"+name+"-"+w.Name)
		for _, barrier := range p.Barriers() {
			p.t.Errorf("%s, %s: %s", name, w.Name, barrier)
		}
	}
}

// fields are the fields of a page in which a person types, with what tells a password manager and a keyboard of them.
const typedFields = `[...document.querySelectorAll("main input:not([type=hidden], [type=checkbox], ` +
	`[hidden])")].map((i) => ` +
	`[i.id, i.autocomplete, i.inputMode].filter(Boolean).join(" ")).join(", ")`

func (p *person) fields(want string) {
	p.t.Helper()
	if got := webtest.Eval[string](p.Page, typedFields); got != want {
		p.t.Errorf("the fields are %s, want %s", got, want)
	}
}

// TestPG11_SecondFactor is the whole walk of a person: sign up, set an app up by its QR code, sign out, sign in with
// password and code; lose the phone, and get in by a recovery code, once. A browser that is remembered is asked for no
// code, until it is forgotten, and for one before the app is removed.
func TestPG11_SecondFactor(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	p := &person{mailReader: mailReader{webtest.Browser(t), s.URL}, t: t, s: s}
	p.Run(chromedp.Navigate(s.URL + "/account/signup"))
	p.at("Create an account")
	p.fields("email username, password new-password, repeat new-password, name name, username nickname")
	p.inspect("signup")
	p.fill("username", "ada", "email", "ada@example.com", "repeat", "another one", "password", harness.GoodPass)
	p.problem("The two passwords are not the same.")
	p.fill("password", harness.GoodPass, "repeat", harness.GoodPass)
	p.at("Security")
	codes := p.setsUp()

	p.signOut()
	p.fields("who username, password current-password")
	p.inspect("signin")
	p.fill("who", "ada@example.com", "password", "not this one at all")
	p.problem("")
	p.signIn("ada@example.com")
	p.at("One more step")
	p.fields("code one-time-code numeric")
	p.inspect("challenge")
	p.fill("code", "000000")
	p.problem("This code is wrong")
	p.fill("code", p.code())

	// The phone is lost.
	p.signOut()
	p.signIn("ada")
	p.at("One more step")
	p.press("Lost your phone?")
	p.WaitFor(`document.querySelector("label[for=code]").textContent === "Recovery code"`)
	p.inspect("recovery")
	p.fill("code", codes[3])
	p.at("Security")
	p.WaitFor(`document.getElementById("left").textContent === "9"`)
	p.signOut()
	p.signIn("ada")
	p.at("One more step")
	p.press("Lost your phone?")
	p.WaitFor(`document.querySelector("label[for=code]").textContent === "Recovery code"`)
	p.fill("code", codes[3])
	p.problem("This recovery code is wrong, or was used before")
	p.press("Use your authenticator app")
	p.WaitFor(`document.querySelector("label[for=code]").textContent === "Code of the app"`)
	p.Run(chromedp.Click(chromedp.CSS("[name=remember]")))
	p.fill("code", p.code())
	p.remembered()
	p.mailed()
	if kept := webtest.Eval[string](p.Page, `JSON.stringify([{...localStorage}, {...sessionStorage}, `+
		`history.state, location.search + location.hash])`); kept != `[{},{},null,""]` {
		t.Errorf("the browser keeps %s", kept)
	}
	p.RequireClean()
}

// setsUp sets the first app up, after the password, and returns the recovery codes.
func (p *person) setsUp() []string {
	p.t.Helper()
	p.s.Clock.Add(11 * time.Minute) // the sign-in is no fresh proof any more
	p.inspect("security-none")
	p.fill("app-name", "My phone")
	p.at("Is it you?")
	p.fields("password current-password")
	p.inspect("sudo")
	p.fill("password", harness.GoodPass)
	p.at("Set up an authenticator app")
	p.Run(chromedp.Click(chromedp.CSS("summary")))
	p.inspect("enrol")
	p.Viewport(390, 844, "dark")
	p.scan()
	p.fill("code", "000000")
	p.problem("This code is wrong")
	p.scan() // the picture is still there
	p.fill("code", p.code())
	p.at("Keep your recovery codes")
	p.inspect("codes")
	codes := strings.Fields(webtest.Eval[string](p.Page, `document.getElementById("codes").textContent`))
	file, err := url.PathUnescape(webtest.Eval[string](p.Page, `document.getElementById("download").href`))
	if len(codes) != 10 || err != nil || !strings.HasSuffix(file, "\n\n"+strings.Join(codes, "\n")+"\n") {
		p.t.Fatalf("the codes are %q, the file is %q (%v)", codes, file, err)
	}
	p.press("Copy")
	p.WaitFor(`document.getElementById("said").textContent.startsWith("The recovery codes are ")`)
	webtest.Eval[chromedp.Void](p.Page, `window.print = () => { document.title = "printed" }`)
	p.press("Print")
	p.WaitFor(`document.title === "printed"`)
	p.press("I keep them")
	p.at("Security")
	p.WaitFor(`document.querySelector("#apps b").textContent === "My phone" && ` +
		`document.getElementById("left").textContent === "10"`)
	p.inspect("security")
	return codes
}

// remembered signs in without a code in a browser that is remembered, names the app anew, forgets the browser, and
// removes the app by a code.
func (p *person) remembered() {
	p.t.Helper()
	p.signOut()
	p.signIn("ada@example.com")
	p.at("Security")
	p.press("Rename")
	p.fill("name-0", "Old phone")
	p.WaitFor(`document.querySelector("#apps b")?.textContent === "Old phone"`)
	p.press("Forget them all")
	p.WaitFor(`document.querySelector(".notice")?.textContent.startsWith("Every device")`)
	p.press("Remove")
	p.at("Is it you?")
	p.fields("code one-time-code numeric")
	p.fill("code", p.code())
	p.at("Security")
	p.WaitFor(`document.querySelector(".notice")?.textContent === "The app is removed." && ` +
		`!document.querySelector("#apps li")`)
	p.Run(chromedp.Navigate(p.s.URL + "/account/security")) // without the notice in the address
	p.at("Security")
	p.secret = nil
}

// mailed signs in by the link of a mail, which asks for the code too.
func (p *person) mailed() {
	p.t.Helper()
	p.press("Set up an authenticator app")
	p.at("Set up an authenticator app")
	p.scan()
	p.fill("code", p.code())
	p.at("Keep your recovery codes")
	p.press("I keep them")
	p.signOut()
	harness.Fine(p.t, p.s.Proves(p.t, "ada@example.com")) // else the mail would take the account over, without the app
	l := p.s.Mailed(p.t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	p.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(p.s.URL+"/account/sign-in#token="+l.Token))
	p.mailReader.press()
	p.at("One more step")
	p.fill("code", p.code())
	p.at("Security")
}
