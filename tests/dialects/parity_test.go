package dialects

import (
	"encoding/base64"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// parity is a server under test. One server serves many sequences: each has addresses of its own, and the clock goes
// forward.
type parity struct {
	*harness.Instance
	doors    []*door
	counted  bool // whether failed sign-ins are
	started  time.Time
	target   int // steps
	steps    int
	runs     int
	requests int
	reached  map[string]int // by door and operation
	came     map[string]int // by operation and what came of it
}

// machine drives one sequence against the model.
type machine struct {
	*rapid.T
	*parity
	model
	prefix   string
	tokens   []*held
	near     *modelSession // of which something ended a moment ago, or is about to
	guessing bool          // whether every password is wrong
}

// TestGQ12_Parity is rule GQ-12: whichever door a request goes through, it is decided as at all others, but for what
// the tables of the doors say, and leaves the same behind. DRAGOMAN_TEST_FULL=1 takes 20,000 steps on each database.
func TestGQ12_Parity(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		drive(t, dsn, &parity{Instance: harness.Start(t, dsn), target: harness.Amount(400, 20_000)})
	})
}

// TestGQ12_ParityThrottled is the same with the counting of failed sign-ins. Each request comes from an address of its
// own, so that only the count of the account is in play.
func TestGQ12_ParityThrottled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		drive(t, dsn, &parity{
			Instance: harness.Limited(t, harness.NewClock(), dsn), target: harness.Amount(200, 5_000),
			counted: true,
		})
	})
}

// TestLG13_OneLimitForAllDoors counts the sign-ins of an address together, whichever door they come through.
func TestLG13_OneLimitForAllDoors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, all := harness.Limited(t, harness.NewClock(), dsn), doors()
		login := func(d *door, n int, from, decision string) {
			t.Helper()
			values := map[string]string{"email": fmt.Sprintf("nobody%d@example.com", n), "password": harness.WrongPass}
			r, err := d.request(s, "login by email", values, "X-Forwarded-For", from)
			if err == nil {
				err = d.told(r, "login by email", decision, values)
			}
			if err != nil {
				t.Errorf("attempt %d: %v", n, err)
			}
		}
		for n := range 60 {
			login(all[n%len(all)], n, "203.0.113.7", badCredentials)
		}
		for n, d := range all {
			login(d, 60+n, "203.0.113.7", rateLimited)
			login(d, 80+n, "203.0.113.8", badCredentials)
		}
	})
}

// modelAdmin suspends people and brings them back.
const modelAdmin = "admin@example.com"

func drive(t *testing.T, dsn string, p *parity) {
	t.Helper()
	p.Admin(t, dsn, modelAdmin)
	p.doors, p.reached, p.came, p.started = doors(), map[string]int{}, map[string]int{}, time.Now()
	p.Clock.At = p.Clock.At.Truncate(time.Second) // as tokens count
	for p.steps < p.target && !t.Failed() {
		rapid.Check(t, func(rt *rapid.T) {
			if p.steps < p.target {
				p.sequence(rt)
			}
		})
	}
	p.report(t)
}

func (p *parity) sequence(t *rapid.T) {
	p.runs++
	m := &machine{
		T: t, parity: p, prefix: fmt.Sprintf("s%d", p.runs),
		model:  model{throttle: p.counted, failed: map[any]*failures{}},
		tokens: []*held{{text: garbage}},
	}
	for range 2 { // somebody is there from the start
		m.registers(t)
		m.logsIn("login by email")(t)
		m.logsIn("login by email")(t)
	}
	steps := map[string]func(*rapid.T){ // those that come first in the alphabet are drawn more often
		"":                     m.agrees,
		"a login by email":     m.logsIn("login by email"),
		"a login by username":  m.logsIn("login by username"),
		"a refresh":            m.refreshes,
		"b refresh":            m.refreshes,
		"b time":               m.waits,
		"b read, renewed":      m.readsRenewed,
		"c refresh":            m.refreshes,
		"c login by email":     m.logsIn("login by email"),
		"c lost answers":       m.losesAnswers,
		"d register":           m.registers,
		"d logout by refresh":  m.logsOutByRefresh,
		"e password":           m.asks("password"),
		"e password, no proof": m.asks("password, no proof"),
		"e revoke one":         m.asks("revoke one"),
		"e sudo":               m.asks("sudo"),
		"f email":              m.asks("email"),
		"f email, no proof":    m.asks("email, no proof"),
		"f username":           m.asks("username"),
		"g logout":             m.asks("logout"),
		"g revoke others":      m.asks("revoke others"),
		"h logout everywhere":  m.asks("logout everywhere"),
		"h read":               m.asks("read"),
		"d make key":           m.asks("make key"),
		"h delete key":         m.asks("delete key"),
		"f suspend":            m.suspends,
		"b at once":            m.together,
	}
	if p.counted {
		steps["c guesses"] = m.guesses
	}
	t.Repeat(steps)
	p.came["a lost answer, given again"] += m.retries
}

// report says what was reached. In a full run every door has to be asked for everything that it does.
func (p *parity) report(t *testing.T) {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%d steps in %d sequences, %d requests, %s\n", p.steps, p.runs, p.requests,
		time.Since(p.started).Round(time.Millisecond))
	for _, d := range p.doors {
		fmt.Fprintf(&out, "%s:", d.name)
		for _, name := range slices.Sorted(maps.Keys(d.does)) {
			n := p.reached[d.name+": "+name]
			fmt.Fprintf(&out, " %s %d,", name, n)
			if n == 0 && harness.FullRun {
				t.Errorf("%s was never asked for %s", d.name, name)
			}
		}
		out.WriteString("\n")
	}
	for _, name := range slices.Sorted(maps.Keys(p.came)) {
		fmt.Fprintf(&out, "%s %d\n", name, p.came[name])
	}
	t.Log("\n" + out.String())
}

// through sends an operation through a door and demands that comes of it what the model says.
func (m *machine) through(d *door, operation, decision string, values map[string]string,
	header ...string,
) harness.Reply {
	m.requests++
	m.reached[d.name+": "+operation]++
	m.came[operation+": "+decision]++
	m.Logf("%s: %s → %s  %v", d.name, operation, decision, values)
	header = append(header, m.from()...)
	r, err := d.request(m.Instance, operation, values, header...)
	if err == nil {
		err = d.told(r, operation, decision, values)
	}
	if err != nil {
		m.Fatal(err)
	}
	if err := m.App.DB.FlushTouches(m.Context()); err != nil {
		m.Fatal(err)
	}
	return r
}

// from is the address of a request, another one each time.
func (m *machine) from() []string {
	if !m.throttle {
		return nil
	}
	return []string{
		"X-Forwarded-For", fmt.Sprintf("100.%d.%d.%d", m.requests>>16&63+64, m.requests>>8&255, m.requests&255),
	}
}

// keep reads the tokens of an answer, which all belong to a session.
func (m *machine) keep(d *door, operation string, r harness.Reply, s *modelSession, refreshToo bool) {
	m.keepUntil(d, operation, r, s, refreshToo, s.made.Add(modelLife))
}

// keepUntil is keep for an access token that ends no later than a time.
func (m *machine) keepUntil(
	d *door, operation string, r harness.Reply, s *modelSession, refreshToo bool, until time.Time,
) {
	gives := d.does[operation].gives
	for _, kind := range slices.Sorted(maps.Keys(gives)) { // in an order, so that a sequence can be run again
		place := gives[kind]
		h := &held{text: pick(r, place), kind: kind, session: s, generation: s.generation}
		switch kind {
		case "access":
			life := min(d.access, s.made.Add(modelLife).Sub(m.now), until.Sub(m.now.Truncate(time.Second)))
			h.expires = m.now.Truncate(time.Second).Add(max(life, time.Second).Truncate(time.Second))
			if alg := algOf(h.text); alg != d.alg {
				m.Fatalf("%s: %s gives a token of %q", d.name, operation, alg)
			}
		case "refresh":
			if s.generation < 0 || !refreshToo {
				if h.text != "" {
					m.Fatalf("%s: %s gives a refresh token to a session that has none", d.name, operation)
				}
				continue
			}
			if d.session == "jwt" {
				h.kind, h.expires = "jwt", earlier(s.rotated.Add(s.idle), s.made.Add(modelLife)).Truncate(time.Second)
			}
			m.oneSuccessor(d, h)
		}
		if h.text == "" {
			m.Fatalf("%s: %s gives no %s: %d %s", d.name, operation, kind, r.Status, r.Body)
		}
		m.tokens = append(m.tokens, h)
	}
}

// oneSuccessor demands that a generation of a session has one refresh token of each form, however often it is given.
func (m *machine) oneSuccessor(d *door, h *held) {
	for _, o := range m.tokens {
		if o.session == h.session && o.kind == h.kind && (o.generation == h.generation) != (o.text == h.text) {
			m.Fatalf("%s gives a refresh token of generation %d, which is that of generation %d or should be", d.name,
				h.generation, o.generation)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func algOf(jwt string) string {
	head, _, _ := strings.Cut(jwt, ".")
	raw, _ := base64.RawURLEncoding.DecodeString(head)
	if found := regexp.MustCompile(`"alg":"(\w+)"`).FindSubmatch(raw); found != nil {
		return string(found[1])
	}
	return ""
}

// learn asks who a new session is.
func (m *machine) learn(s *modelSession) {
	h := m.tokens[len(m.tokens)-1]
	for _, o := range m.tokens {
		if o.session == s && (o.kind == "access" || o.kind == "session") {
			h = o
		}
	}
	a, err := harness.Send(m.URL, h.text, `{ me { id number email pendingEmail username } currentCredential { `+
		`session { id number } } }`, nil)
	if err != nil || a.Text("me", "id") == "" {
		m.Fatalf("a new session: %v %+v", err, a)
	}
	number, _ := a.At("me", "number").(float64)
	if u := s.user; u.id == "" {
		u.id, u.number = a.Text("me", "id"), int(number)
	}
	if u := s.user; u.id != a.Text("me", "id") || u.email != a.Text("me", "email") ||
		u.pending != a.Text("me", "pendingEmail") || u.username != a.Text("me", "username") {
		m.Fatalf("the session is that of %s, want %+v", a.Raw, u)
	}
	s.id = a.Text("currentCredential", "session", "id")
	number, _ = a.At("currentCredential", "session", "number").(float64)
	s.number = int(number)
}
