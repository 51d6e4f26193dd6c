package dialects

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// Two operations at once, through two doors, end as one of the two serial orders of the model would.

// operation is one of the two.
type operation struct {
	name   string
	door   *door
	decide func() (string, *modelSession) // by the model, with the session whose tokens it gives
	send   func() (harness.Reply, error)
	told   func(r harness.Reply, decision string) error

	reply harness.Reply
	token string // access or session token of the answer, "" for none
	alive bool   // whether that one opens anything behind both
}

// outcome is what the model says of both, in one order.
type outcome struct {
	decisions [2]string
	sessions  [2]*modelSession
	misfit    error // what the server did otherwise
	state     string
}

// paired are the operations that are sent two at a time. All are of one account, and prove themselves by its password.
var paired = []string{
	"refresh", "refresh", "refresh", "login by email", "login by email", "logout", "logout by refresh", "password",
	"password", "sudo", "revoke others", "logout everywhere", "suspendUser", "suspendUser", "read", "delete key",
}

// together sends two operations at once.
func (m *machine) together(*rapid.T) {
	h := m.token("token", func(h *held) bool { return m.good(way{}, h) && m.alive(h.session) })
	if !m.alive(h.session) {
		m.logsIn("login by email")(m.T)
		return
	}
	m.step()
	both := m.pair(h.session)
	restore := m.save()
	m.race(both)
	for _, o := range both {
		if o.token != "" {
			o.alive = m.opens(o.token)
		}
	}
	var fits []*outcome
	first, second := m.outcome(restore, both, 0, 1), m.outcome(restore, both, 1, 0)
	for _, o := range []*outcome{first, second} {
		if o.misfit == nil {
			fits = append(fits, o)
		}
	}
	switch {
	case len(fits) == 0:
		m.Fatalf("%s × %s is neither order: %v; %v", both[0].name, both[1].name, first.misfit, second.misfit)
	case len(fits) == 2 && fits[0].state != fits[1].state:
		m.Fatalf("%s × %s may be either order:\n%s\n%s", both[0].name, both[1].name, fits[0].state, fits[1].state)
	}
	got := second
	if first.misfit == nil { // else the model is where the second order left it
		got = m.outcome(restore, both, 0, 1)
	}
	m.settle(both, got)
}

// pair draws two operations of the person of a session.
func (m *machine) pair(s *modelSession) []*operation {
	m.near = s
	var inside, refresh []*held
	for _, h := range m.tokens {
		switch {
		case h.key != nil && h.key.user == s.user, h.session != nil && h.session.user == s.user && m.alive(h.session):
			inside = append(inside, h)
		}
		if h.session == s && (h.kind == "refresh" || h.kind == "jwt") {
			refresh = append(refresh, h)
		}
	}
	var key *modelKey
	for _, k := range m.keys {
		if k.user == s.user {
			key = k
		}
	}
	able := slices.DeleteFunc(slices.Clone(paired), func(name string) bool {
		return strings.Contains(name, "refresh") && len(refresh) == 0 || name == "delete key" && key == nil
	})
	if len(refresh) > 0 { // both by the same one, of the last generations
		refresh = refresh[max(0, len(refresh)-3):]
		refresh = refresh[rapid.IntRange(0, len(refresh)-1).Draw(m.T, "refresh token"):][:1]
	}
	var both []*operation
	for range 2 {
		name := rapid.SampledFrom(able).Draw(m.T, "operation")
		if name == "suspendUser" {
			able = slices.DeleteFunc(able, func(o string) bool { return o == name })
			both = append(both, m.suspension(s.user))
			continue
		}
		o := &operation{name: name, door: m.door(name)}
		values, header := valuesOf(s.user), m.from()
		m.requests++
		if strings.Contains(name, "refresh") {
			values["refresh"] = refresh[0].text
			o.decide = func() (string, *modelSession) { return m.refresh(o.door, refresh[0]) }
			if name == "logout by refresh" {
				o.decide = func() (string, *modelSession) { return m.logoutBy(o.door, refresh[0]), nil }
			}
		} else {
			header = append(header, m.inside(o, s.user, inside, key, values)...)
		}
		o.send = func() (harness.Reply, error) { return o.door.request(m.Instance, name, values, header...) }
		o.told = func(r harness.Reply, decision string) error { return o.door.told(r, name, decision, values) }
		both = append(both, o)
	}
	return both
}

// inside completes a sign-in, or an operation of somebody who is signed in, and gives its header fields.
func (m *machine) inside(o *operation, u *modelUser, tokens []*held, key *modelKey, values map[string]string) []string {
	password := u.password
	values["password"], values["current"] = password, password
	if o.name == "login by email" {
		values["email"] = u.email
		o.decide = func() (string, *modelSession) { return m.login(o.door, u, u.email, password) }
		return nil
	}
	h := tokens[rapid.IntRange(0, len(tokens)-1).Draw(m.T, "token")]
	w := m.way(o.door)
	next := ""
	switch o.name {
	case "password":
		if next = m.newPassword(); next == password {
			next += " 2" // the same one has another hash, for which a sign-in at that moment is refused
		}
		values["password"] = next
	case "delete key":
		values["key"] = key.id
	}
	if user := m.asker(w, h); user == nil {
		values["user"], values["number of user"] = "nobody", "0"
	}
	decide := map[string]func() string{
		"logout":            func() string { return m.logout(w, h, false) },
		"logout everywhere": func() string { return m.logout(w, h, true) },
		"password":          func() string { return m.changePassword(o.door, w, h, &password, next) },
		"sudo":              func() string { return m.sudo(o.door, w, h, password) },
		"revoke others":     func() string { return m.revokeOthers(w, h) },
		"read":              func() string { return m.read(o.door, w, h) },
		"delete key":        func() string { return m.deleteKey(w, h, key) },
	}[o.name]
	o.decide = func() (string, *modelSession) { return decide(), nil }
	return w.carry(h)
}

// suspension is the operation by which an administrator suspends somebody.
func (m *machine) suspension(u *modelUser) *operation {
	from, admin := m.from(), m.admin()
	m.requests++
	return &operation{
		name:   "suspendUser",
		decide: func() (string, *modelSession) { m.suspend(u); return accepted, nil },
		send: func() (harness.Reply, error) {
			a, err := harness.Send(m.URL, admin, harness.SuspendDoc, harness.InputOf("id", u.id), from...)
			if err == nil && a.Code() != "" {
				err = fmt.Errorf("suspendUser: %s", a.Raw)
			}
			return harness.Reply{}, err
		},
		told: func(harness.Reply, string) error { return nil },
	}
}

// race sends both.
func (m *machine) race(both []*operation) {
	names := []string{both[0].name, both[1].name}
	slices.Sort(names)
	m.came["at once: "+strings.Join(names, " × ")]++
	var group sync.WaitGroup
	errs, start := make([]error, 2), make(chan struct{})
	for n, o := range both {
		m.Logf("at once: %s", o.name)
		if o.door != nil {
			m.Logf("through %s", o.door.name)
		}
		group.Go(func() {
			<-start
			o.reply, errs[n] = o.send()
		})
	}
	close(start)
	group.Wait()
	if err := m.App.DB.FlushTouches(m.Context()); errs[0] != nil || errs[1] != nil || err != nil {
		m.Fatal(errs, err)
	}
	for _, o := range both {
		if o.name != "refresh" && o.name != "login by email" {
			continue
		}
		gives := o.door.does[o.name].gives
		if o.token = pick(o.reply, gives["access"]); o.token == "" {
			o.token = pick(o.reply, gives["session"])
		}
	}
}

// opens tells whether a token is worth anything.
func (m *machine) opens(token string) bool {
	m.requests++
	a, err := harness.Send(m.URL, token, harness.MeDoc, nil, m.from()...)
	if err == nil {
		err = m.App.DB.FlushTouches(m.Context())
	}
	if err != nil {
		m.Fatal(err)
	}
	return a.Text("me", "id") != ""
}

// outcome lets the model do both in one order, and holds the answers and what the new tokens open against it.
func (m *machine) outcome(restore func(), both []*operation, order ...int) *outcome {
	restore()
	out := &outcome{}
	for _, n := range order {
		o := both[n]
		out.decisions[n], out.sessions[n] = o.decide()
		if err := o.told(o.reply, out.decisions[n]); err != nil {
			out.misfit = err
		}
	}
	for n, o := range both {
		s := out.sessions[n]
		if s == nil || o.token == "" {
			continue
		}
		if m.alive(s) != o.alive {
			out.misfit = fmt.Errorf("the new token of %s opens something: %t, want %t", o.name, o.alive, m.alive(s))
		}
		if o.alive {
			m.touch(&held{session: s, generation: s.generation})
		}
	}
	out.state = m.state()
	return out
}

// settle keeps the new tokens. Whoever was suspended comes back, to what had ended then.
func (m *machine) settle(both []*operation, out *outcome) {
	for n, o := range both {
		s := out.sessions[n]
		if s == nil {
			continue
		}
		m.keep(o.door, o.name, o.reply, s, true)
		if o.name != "refresh" && m.alive(s) {
			m.learn(s)
		}
	}
	for _, u := range m.users {
		if u.suspended && (both[0].name == "suspendUser" || both[1].name == "suspendUser") {
			u.suspended = false
			m.administers("reactivateUser", u)
		}
	}
	for n, o := range both {
		if s := out.sessions[n]; s != nil && o.token != "" && m.opens(o.token) != m.alive(s) {
			m.Fatalf("%s × %s: the new token of %s is worth something again", both[0].name, both[1].name, o.name)
		}
	}
}

// save remembers what is true, and gives a function that makes it so again.
func (m *model) save() (restore func()) {
	kept := *m
	users, sessions, keys := valuesIn(m.users), valuesIn(m.sessions), valuesIn(m.keys)
	failed := map[any]failures{}
	for key, f := range m.failed {
		failed[key] = *f
	}
	return func() {
		*m = kept
		m.users, m.sessions, m.keys = slices.Clone(m.users), slices.Clone(m.sessions), slices.Clone(m.keys)
		putBack(m.users, users)
		putBack(m.sessions, sessions)
		putBack(m.keys, keys)
		m.failed = map[any]*failures{}
		for key, f := range failed {
			m.failed[key] = &f
		}
	}
}

func valuesIn[T any](all []*T) (values []T) {
	for _, one := range all {
		values = append(values, *one)
	}
	return values
}

func putBack[T any](all []*T, values []T) {
	for n, one := range all {
		*one = values[n]
	}
}

// state is what is true as text, but for what can not matter any more.
func (m *model) state() string {
	var all []string
	for _, u := range m.users {
		all = append(all, fmt.Sprintf("%p %+v", u, *u))
	}
	for _, s := range m.sessions {
		if s := *s; m.alive(&s) {
			if s.lost.useless {
				s.lost.until = s.made
			}
			all = append(all, fmt.Sprintf("%+v", s))
		}
	}
	for _, k := range m.keys {
		all = append(all, fmt.Sprintf("%+v", *k))
	}
	for key, f := range m.failed {
		s, inside := key.(*modelSession)
		switch {
		case !m.throttle || inside && !m.alive(s):
		case inside:
			all = append(all, fmt.Sprintf("%p %+v", s, *f))
		default:
			all = append(all, fmt.Sprintf("%v %+v", key, *f))
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
