package dialects

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// The steps of a sequence. Each draws what is asked and by whom, asks the model what comes of it, and then the server.

const modelNames = 4 // addresses and usernames of a sequence

var (
	listedIDs     = regexp.MustCompile(`(?:sess|key)_\w{26}`)
	listedNumbers = regexp.MustCompile(`\{"id":(\d+),`)
)

// door draws one that does an operation.
func (m *machine) door(operation string) *door {
	var able []*door
	for _, d := range m.doors {
		if _, ok := d.does[operation]; ok {
			able = append(able, d)
		}
	}
	n := rapid.IntRange(0, len(able)-1).Draw(m.T, "door")
	return able[n]
}

func (m *machine) step() {
	m.steps++
	m.now = m.Clock.Now()
}

func (m *machine) often(label string) bool { return rapid.IntRange(0, 3).Draw(m.T, label) > 0 }

func (m *machine) anyEmail() string {
	return fmt.Sprintf("%s-%d@example.com", m.prefix, rapid.IntRange(0, modelNames-1).Draw(m.T, "email"))
}

func (m *machine) anyUsername() string {
	return fmt.Sprintf("%su%d", m.prefix, rapid.IntRange(0, modelNames-1).Draw(m.T, "username"))
}

// spelled is a name in upper case now and then.
func (m *machine) spelled(name string) string {
	if m.often("as it is") {
		return name
	}
	return strings.ToUpper(name)
}

// name draws what somebody types as theirs, mostly a name that there is, and gives whose it is.
func (m *machine) name(username bool) (typed string, u *modelUser) {
	if len(m.users) > 0 && m.often("known") {
		u := m.users[rapid.IntRange(0, len(m.users)-1).Draw(m.T, "user")]
		if !username {
			return m.spelled(u.email), u
		}
		if u.username != "" {
			return m.spelled(u.username), u
		}
	}
	if username {
		typed = m.spelled(m.anyUsername())
		return typed, m.byUsername(typed)
	}
	typed = m.spelled(m.anyEmail())
	return typed, m.byEmail(typed)
}

// newPassword draws one of every kind: long, of ten characters, of six, and one that is on all lists.
func (m *machine) newPassword() string {
	return rapid.SampledFrom([]string{
		"nine red kites over the hill", "two boats and a lighthouse", "quiet Tuesday in the orchard", "qv7#mw2pxk",
		"mw2#px", modelCommon,
	}).Draw(m.T, "new password")
}

// password is mostly that of the user, and never while somebody guesses.
func (m *machine) password(u *modelUser) string {
	if m.guessing {
		return "not the password"
	}
	if u != nil && m.often("right password") {
		return u.password
	}
	return rapid.SampledFrom([]string{"not the password", "nine red kites over the hill", modelCommon}).Draw(m.T,
		"password")
}

// token draws one that was kept: mostly one of which liked is true, else one of the session whose end is near, one that
// a live session has outlived, or any.
func (m *machine) token(label string, liked func(*held) bool) *held {
	all := m.tokens[max(0, len(m.tokens)-40):]
	pool := map[int]func(*held) bool{
		1: func(h *held) bool { return m.valid(h) && !liked(h) },
		2: func(h *held) bool { return h.session != nil && h.session == m.near },
		3: func(h *held) bool { return h.session != nil && h.session == m.near },
		4: liked, 5: liked, 6: liked, 7: liked,
	}[rapid.IntRange(0, 7).Draw(m.T, "kind of "+label)]
	var some []*held
	for _, h := range all {
		if pool != nil && pool(h) {
			some = append(some, h)
		}
	}
	if len(some) == 0 {
		some = all
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(m.T, label)]
}

func (m *machine) refreshToken() *held {
	return m.token("refresh token", m.swappable)
}

// presents draws a door, a way and a token for an operation of somebody who is signed in.
func (m *machine) presents(operation string) (*door, way, *held) {
	d := m.door(operation)
	w := m.way(d)
	return d, w, m.token("token", func(h *held) bool { return m.good(w, h) && m.valid(h) })
}

func (m *machine) way(d *door) way {
	n := rapid.IntRange(0, len(d.ways)-1).Draw(m.T, "way")
	return d.ways[n]
}

func (w way) carry(h *held) []string {
	return []string{w.header, strings.ReplaceAll(w.value, "<token>", h.text)}
}

func valuesOf(u *modelUser) map[string]string {
	if u == nil {
		return map[string]string{}
	}
	return map[string]string{"user": u.id, "number of user": strconv.Itoa(u.number)}
}

func (m *machine) registers(*rapid.T) {
	m.step()
	d := m.door("register")
	email, username, password := m.spelled(m.anyEmail()), m.spelled(m.anyUsername()), m.newPassword()
	decision, s := m.register(d, email, username, password)
	r := m.through(d, "register", decision, map[string]string{
		"email": email, "username": username,
		"password": password,
	})
	m.begins(d, "register", r, s)
}

func (m *machine) begins(d *door, operation string, r harness.Reply, s *modelSession) {
	if s != nil {
		m.keep(d, operation, r, s, true)
		m.learn(s)
	}
}

func (m *machine) logsIn(operation string) func(*rapid.T) {
	return func(*rapid.T) {
		m.step()
		d := m.door(operation)
		typed, u := m.name(operation == "login by username")
		password := m.password(u)
		decision, s := m.login(d, u, typed, password)
		r := m.through(d, operation, decision, map[string]string{
			"email": typed, "username": typed,
			"password": password,
		})
		m.begins(d, operation, r, s)
	}
}

// guesses is a volley of wrong passwords at one account, through one door after another: by one of its names, or by
// somebody who is signed in.
func (m *machine) guesses(*rapid.T) {
	by := rapid.SampledFrom([]string{"login by email", "login by username", "session"}).Draw(m.T, "guesses by")
	if by == "session" {
		m.guessesInside()
		return
	}
	typed, u := m.name(by == "login by username")
	for range rapid.IntRange(2, 7).Draw(m.T, "guesses") {
		m.step()
		d := m.door(by)
		typed := m.spelled(typed)
		decision, _ := m.login(d, u, typed, "not the password")
		m.through(d, by, decision, map[string]string{
			"email": typed, "username": typed, "password": "not the password",
		})
	}
}

func (m *machine) guessesInside() {
	m.guessing = true
	defer func() { m.guessing = false }()
	h := m.token("token", func(h *held) bool { return m.good(way{}, h) && m.valid(h) })
	for range rapid.IntRange(2, 7).Draw(m.T, "guesses") {
		operation := rapid.SampledFrom([]string{"sudo", "password", "email"}).Draw(m.T, "proof")
		d := m.door(operation)
		m.asksBy(d, m.way(d), h, operation)
	}
}

func (m *machine) refreshes(*rapid.T) {
	m.refreshesBy(m.refreshToken())
}

func (m *machine) refreshesBy(h *held) {
	m.step()
	d := m.door("refresh")
	decision, s := m.refresh(d, h)
	r := m.through(d, "refresh", decision, map[string]string{"refresh": h.text})
	if s != nil {
		m.keep(d, "refresh", r, s, true)
	}
}

// losesAnswers is somebody behind a bad connection, who asks again with the same token once the grace is over, and now
// and then gets an answer and goes on from there.
func (m *machine) losesAnswers(*rapid.T) {
	h := m.refreshToken()
	for range rapid.IntRange(2, 9).Draw(m.T, "tries") {
		m.refreshesBy(h)
		m.Clock.Add(modelGrace + time.Second)
		m.now = m.Clock.Now()
		if !m.often("lost") {
			h = m.newest(h)
		}
	}
}

// newest is the refresh token of the same session that was kept last.
func (m *machine) newest(h *held) *held {
	for _, o := range m.tokens {
		if o.session == h.session && (o.kind == "refresh" || o.kind == "jwt") {
			h = o
		}
	}
	return h
}

func (m *machine) logsOutByRefresh(*rapid.T) {
	m.step()
	d, h := m.door("logout by refresh"), m.refreshToken()
	m.through(d, "logout by refresh", m.logoutBy(d, h), map[string]string{"refresh": h.text})
}

func (m *machine) readsRenewed(*rapid.T) {
	m.step()
	d, h := m.door("read, renewed"), m.refreshToken()
	access := m.token("access token", func(h *held) bool { return h.kind == "access" })
	u, renewed := m.readRenewed(d, way{header: "Cookie"}, access, h)
	decision, values := unauthenticated, map[string]string{"user": "somebody"}
	if u != nil {
		decision, values = accepted, valuesOf(u)
	}
	values["token"], values["refresh"] = access.text, h.text
	r := m.through(d, "read, renewed", decision, values)
	switch {
	case renewed != nil:
		m.keep(d, "read, renewed", r, renewed, true)
	case r.Header.Get("Set-Cookie") != "":
		m.Fatalf("%s: nothing was renewed, and it sets %q", d.name, r.Header.Values("Set-Cookie"))
	}
}

// asks is an operation of somebody who is signed in.
func (m *machine) asks(operation string) func(*rapid.T) {
	return func(*rapid.T) {
		d, w, h := m.presents(operation)
		m.asksBy(d, w, h, operation)
	}
}

func (m *machine) asksBy(d *door, w way, h *held, operation string) {
	m.step()
	until := m.endOf(h)
	values, decision := m.decides(d, w, h, m.asker(w, h), operation)
	r := m.through(d, operation, decision, values, w.carry(h)...)
	switch {
	case decision != accepted:
	case operation == "list" || operation == "keys" || d.numbers && operation == "read": // that one reads the list
		m.listed(d, operation, r, m.asker(w, h))
	case operation == "make key":
		m.keepKey(d, r)
	case d.does[operation].gives != nil:
		if g := h.session.generation; h.kind == "access" && g >= 0 && h.generation == g {
			m.keep(d, operation, r, h.session, true)
			return
		}
		m.keepUntil(d, operation, r, h.session, false, until)
	}
}

// endOf is when a token ends that was shown: a session with its last use before.
func (m *machine) endOf(h *held) time.Time {
	if h.kind == "session" {
		return earlier(h.session.made.Add(modelLife), h.session.used.Add(h.session.idle))
	}
	return h.expires
}

// asker is who asks, nil for nobody.
func (m *machine) asker(w way, h *held) *modelUser {
	switch {
	case !m.good(w, h) || !m.valid(h):
		return nil
	case h.key != nil:
		return h.key.user
	}
	return h.session.user
}

// keepKey reads the new key of an answer.
func (m *machine) keepKey(d *door, r harness.Reply) {
	gives, k := d.does["make key"].gives, m.keys[len(m.keys)-1]
	k.id = pick(r, gives["id"])
	m.tokens = append(m.tokens, &held{text: pick(r, gives["key"]), kind: "key", key: k})
	if k.id == "" || !strings.HasPrefix(m.tokens[len(m.tokens)-1].text, "sk_live_") {
		m.Fatalf("%s gives no key: %d %s", d.name, r.Status, r.Body)
	}
}

// suspends suspends somebody, or brings somebody back, through GraphQL as an administrator.
func (m *machine) suspends(*rapid.T) {
	var some []*modelUser
	for _, u := range m.users {
		if u.id != "" {
			some = append(some, u)
		}
	}
	if len(some) == 0 {
		return
	}
	u := some[rapid.IntRange(0, len(some)-1).Draw(m.T, "who")]
	for _, o := range some {
		if o.suspended && m.often("back") {
			u = o
		}
	}
	m.step()
	if !u.suspended {
		m.suspend(u)
		m.administers("suspendUser", u)
		return
	}
	u.suspended = false
	m.administers("reactivateUser", u)
}

// administers does something to an account as an administrator.
func (m *machine) administers(field string, u *modelUser) {
	m.came[field]++
	m.Logf("%s: %s", field, u.id)
	document := map[string]string{
		"suspendUser": harness.SuspendDoc, "reactivateUser": harness.ReactivateDoc,
	}[field]
	a, err := harness.Send(m.URL, m.admin(), document, harness.InputOf("id", u.id), m.from()...)
	if err != nil || a.Code() != "" || a.Text(field, "user", "id") != u.id {
		m.Fatalf("%s: %v %+v", field, err, a)
	}
}

// admin signs the administrator in.
func (m *machine) admin() (token string) {
	m.requests++
	a, err := harness.Send(m.URL, "", harness.LoginDoc,
		harness.InputOf("email", modelAdmin, "password", harness.GoodPass), m.from()...)
	if token = a.Text("login", "tokens", "accessToken"); err != nil || token == "" {
		m.Fatalf("the administrator: %v %+v", err, a)
	}
	return token
}

// decides draws what is asked for and asks the model. The user is who asks, nil for nobody.
func (m *machine) decides(d *door, w way, h *held, user *modelUser, operation string) (map[string]string, string) {
	values := valuesOf(user)
	current := func() *string {
		text := m.password(user)
		values["current"] = text
		return &text
	}
	switch operation {
	case "logout":
		return values, m.logout(w, h, false)
	case "logout everywhere":
		return values, m.logout(w, h, true)
	case "revoke one":
		which := m.anySession(user)
		values["session"], values["number of session"] = which.id, strconv.Itoa(which.number)
		return values, m.revoke(w, h, which)
	case "revoke others":
		return values, m.revokeOthers(w, h)
	case "password", "password, no proof":
		var given *string
		if operation == "password" {
			given = current()
		}
		values["password"] = m.newPassword()
		return values, m.changePassword(d, w, h, given, values["password"])
	case "email", "email, no proof":
		var given *string
		if operation == "email" {
			given = current()
		}
		values["email"] = m.spelled(m.anyEmail())
		return values, m.changeEmail(d, w, h, given, values["email"])
	case "username":
		values["username"] = m.spelled(m.anyUsername())
		return values, m.changeUsername(w, h, values["username"])
	case "sudo":
		return values, m.sudo(d, w, h, *current())
	case "make key":
		decision, _ := m.makeKey(w, h)
		return values, decision
	case "delete key":
		k := m.anyKey()
		values["key"] = k.id
		return values, m.deleteKey(w, h, k)
	}
	return values, m.read(d, w, h)
}

// anyKey draws one, a made-up one where there is none.
func (m *machine) anyKey() *modelKey {
	if len(m.keys) == 0 {
		return &modelKey{id: "key_01m00000000000000000000000", deleted: true}
	}
	return m.keys[rapid.IntRange(0, len(m.keys)-1).Draw(m.T, "key")]
}

// anySession draws one, mostly of the person who asks, and a made-up one where there is none.
func (m *machine) anySession(of *modelUser) *modelSession {
	var all, own []*modelSession
	for _, s := range m.sessions {
		if s.id == "" { // it was over before anybody could ask
			continue
		}
		if all = append(all, s); s.user == of {
			own = append(own, s)
		}
	}
	if len(own) > 0 && m.often("own session") {
		all = own
	}
	if len(all) == 0 {
		return &modelSession{id: "sess_01m00000000000000000000000", number: 7, revoked: true}
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(m.T, "session")]
}

// waits lets time pass: some of it, or until a second before, or just at, or a second after something ends.
func (m *machine) waits(*rapid.T) {
	m.step()
	by := rapid.SampledFrom([]time.Duration{
		0, time.Second, 5 * time.Second, time.Minute, 5 * time.Minute, 31 * time.Minute, 11 * time.Hour, 25 * time.Hour,
		169 * time.Hour, 337 * time.Hour, 721 * time.Hour,
	}).Draw(m.T, "time")
	if ends := m.ends(); len(ends) > 0 && m.often("to an end") {
		n := rapid.IntRange(0, len(ends)-1).Draw(m.T, "end")
		by = ends[n].Sub(m.now) + time.Duration(rapid.IntRange(-1, 1).Draw(m.T, "second"))*time.Second
	}
	m.Clock.Add(max(by, 0))
	m.now = m.Clock.Now()
	m.Logf("the time is %s", m.now)
}

// ends are the moments to come at which something changes for one session, which tokens are drawn of more often from
// then on.
func (m *machine) ends() (ends []time.Time) {
	h := m.token("token that ends", m.valid)
	s := h.session
	if s == nil {
		return nil
	}
	m.near = s
	all := []time.Time{
		s.rotated.Add(modelGrace), s.proved.Add(10 * time.Minute), s.proved.Add(30 * time.Minute), s.used.Add(s.idle),
		s.made.Add(modelLife),
		s.used.Add(modelTouch), h.expires, h.expires.Add(modelLeeway), h.expires.Add(modelLeeway),
		s.lost.until, s.lost.last.Add(modelGrace),
	}
	u := s.user
	for _, key := range []any{s, stranger{u, canonical(u.email)}, stranger{u, canonical(u.username)}} {
		if f := m.failed[key]; f != nil {
			all = append(all, f.last.Add(limit.Delay(f.count)), f.last.Add(modelForget))
		}
	}
	for _, end := range all {
		if end.After(m.now) {
			ends = append(ends, end)
		}
	}
	return ends
}

// agrees holds the state against the model: what a token is worth, at any door, and which sessions live.
func (m *machine) agrees(*rapid.T) {
	m.now = m.Clock.Now()
	m.check("read")
	m.check("list")
	m.check("keys")
}

func (m *machine) check(operation string) {
	m.steps-- // a check is no step
	m.asks(operation)(m.T)
}

// listed holds a list of the sessions or the keys of somebody against the model.
func (m *machine) listed(d *door, operation string, r harness.Reply, of *modelUser) {
	var want []string
	for _, s := range m.sessions {
		switch {
		case operation == "keys" || s.user != of || !m.alive(s):
		case d.numbers:
			want = append(want, strconv.Itoa(s.number))
		default:
			want = append(want, s.id)
		}
	}
	for _, k := range m.keys {
		if operation == "keys" && k.user == of && !k.deleted {
			want = append(want, k.id)
		}
	}
	got := listedIDs.FindAllString(r.Body, -1)
	if d.numbers {
		got = nil
		for _, found := range listedNumbers.FindAllStringSubmatch(r.Body, -1) {
			got = append(got, found[1])
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.Fatalf("%s lists %v, want %v", d.name, got, want)
	}
}
