package dialects

import (
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/limit"
)

// The model says what the server has to answer, in as few words as it can be said. It knows nothing of HTTP, GraphQL or
// SQL.

// The settings of a server that no door changes.
const (
	modelGrace  = 10 * time.Second // in which the predecessor of a refresh token gets its successor again
	modelTries  = 3                // lost answers of one generation, and generations in a row that lose answers
	modelLife   = 720 * time.Hour  // of a session in all
	modelTouch  = time.Minute      // how exact the last use of a session is
	modelLeeway = 5 * time.Second  // that the end of a JWT may be off
	modelForget = 24 * time.Hour   // after which a failed sign-in is forgotten
	modelCommon = "password123"    // everybody's password
	garbage     = "nonsense"       // nobody's credential
)

type modelUser struct {
	id                        string
	number                    int
	email, username, password string
	pending                   string // an address that waits to be confirmed
	suspended                 bool
}

type modelSession struct {
	user       *modelUser
	id         string
	number     int
	idle       time.Duration
	generation int // of the refresh token in force; -1 where the session has none
	made       time.Time
	rotated    time.Time // when that generation came about
	lost       losses
	used       time.Time
	proved     time.Time // when the person last gave the password
	revoked    bool
}

// modelKey is an API key, which reads the account and no more.
type modelKey struct {
	user    *modelUser
	id      string
	deleted bool
}

// losses are the answers with the generation in force that never arrived.
type losses struct {
	until      time.Time // until when a refresh counts as one more; zero where each token is good once
	useless    bool      // whether an access token of the generation was used, and so its answer arrived
	generation int       // the last one that lost an answer
	count      int       // how often it did
	inARow     int       // generations without a gap that did
	last       time.Time
}

// held is a token that somebody kept.
type held struct {
	text       string
	kind       string // access, refresh, jwt (a refresh token as one), session, key; "" for what is no token
	session    *modelSession
	key        *modelKey
	generation int
	expires    time.Time // of access and jwt
}

type failures struct {
	count int
	last  time.Time
}

// model is what is true.
type model struct {
	now      time.Time
	throttle bool // whether failed sign-ins are counted
	users    []*modelUser
	sessions []*modelSession
	keys     []*modelKey
	failed   map[any]*failures // by stranger, or by *modelSession
	retries  int               // lost answers that were given again
}

func canonical(name string) string { return strings.ToLower(name) }

func (m *model) byEmail(email string) *modelUser {
	for _, u := range m.users {
		if canonical(u.email) == canonical(email) {
			return u
		}
	}
	return nil
}

func (m *model) byUsername(name string) *modelUser {
	for _, u := range m.users {
		if u.username != "" && canonical(u.username) == canonical(name) {
			return u
		}
	}
	return nil
}

func (m *model) alive(s *modelSession) bool {
	return s != nil && !s.revoked && m.now.Before(s.made.Add(modelLife)) && m.now.Before(s.used.Add(s.idle))
}

// good tells whether a token names a session or a key here, alive or not.
func (m *model) good(w way, h *held) bool {
	switch h.kind {
	case "session":
		return !w.keyOnly
	case "access":
		return !w.sessionOnly && !w.keyOnly && m.now.Before(h.expires.Add(modelLeeway))
	case "key":
		return !w.sessionOnly && w.header != "Cookie" // AK-13
	}
	return false
}

// valid tells whether what a token names is alive.
func (m *model) valid(h *held) bool {
	if h.key != nil {
		return !h.key.deleted && !h.key.user.suspended
	}
	return m.alive(h.session)
}

// reader is who asks by a session or a key, nil for nobody. The session is used by that.
func (m *model) reader(w way, h *held) *modelUser {
	switch {
	case !m.good(w, h) || !m.valid(h):
		return nil
	case h.key != nil:
		return h.key.user
	}
	m.touch(h)
	return h.session.user
}

// caller is the session that asks, for what no key may do. It is used by that.
func (m *model) caller(w way, h *held) (*modelSession, string) {
	switch {
	case m.reader(w, h) == nil:
		return nil, unauthenticated
	case h.key != nil:
		return nil, forbidden
	}
	return h.session, accepted
}

// touch is a use of an access or session token. The first use of a generation says that its answer arrived.
func (m *model) touch(h *held) {
	s := h.session
	first := s.generation > 0 && h.generation == s.generation && !s.lost.useless
	if first || m.now.Sub(s.used) >= modelTouch {
		s.used = m.now
	}
	s.lost.useless = s.lost.useless || first
}

// newPassword judges one by the rules of a door.
func newPassword(d *door, text string) string {
	switch {
	case len(text) < d.least:
		return weak
	case text == modelCommon && !d.flags:
		return tooCommon
	}
	return accepted
}

func (m *model) register(d *door, email, username, password string) (string, *modelSession) {
	if rules := newPassword(d, password); rules != accepted {
		return rules, nil
	}
	switch {
	case d.username && m.byUsername(username) != nil:
		return takenUsername, nil
	case m.byEmail(email) != nil:
		return takenEmail, nil
	}
	u := &modelUser{email: email, password: password}
	if d.username {
		u.username = username
	}
	m.users = append(m.users, u)
	if d.noSignIn {
		return accepted, nil
	}
	return accepted, m.begin(d, u)
}

func (m *model) begin(d *door, u *modelUser) *modelSession {
	s := &modelSession{user: u, idle: d.idle, made: m.now, rotated: m.now, used: m.now, proved: m.now}
	if d.session == "session" {
		s.generation = -1
	}
	m.sessions = append(m.sessions, s)
	return s
}

// locked tells whether an account is closed to attempts.
func (m *model) locked(key any) bool {
	f := m.failed[key]
	return m.throttle && f != nil && m.now.Before(f.last.Add(limit.Delay(f.count)))
}

func (m *model) fail(key any) {
	f := m.failed[key]
	if f == nil || f.last.Before(m.now.Add(-modelForget)) {
		f = &failures{}
		m.failed[key] = f
	}
	f.count, f.last = f.count+1, m.now
}

// stranger is what failures of a sign-in without a device token are counted by: the account, nil for none, and the name
// that was typed. Those of somebody who is signed in count by the session.
type stranger struct {
	user *modelUser
	name string
}

func (m *model) login(d *door, u *modelUser, typed, password string) (string, *modelSession) {
	key := stranger{u, canonical(typed)}
	switch {
	case m.locked(key):
		return locked, nil
	case u == nil || u.password != password || u.suspended:
		m.fail(key)
		return badCredentials, nil
	}
	delete(m.failed, key)
	return accepted, m.begin(d, u)
}

// refresh swaps a refresh token, and gives the session that goes on.
func (m *model) refresh(d *door, h *held) (string, *modelSession) {
	if !m.swappable(h) {
		return badToken, nil
	}
	s := h.session
	switch {
	case h.generation == s.generation:
		s.generation, s.rotated, s.used = s.generation+1, m.now, m.now
		s.lost.useless, s.lost.until = false, time.Time{}
		if !d.singleUse {
			s.lost.until = m.now.Add(d.access)
		}
		return accepted, s
	case m.inGrace(h) && (d.singleUse || s.lost.until.IsZero()): // refused here, or swapped where each is good once
		return badToken, nil
	case m.inGrace(h):
		return accepted, s
	case !m.answerLost(d, h):
		s.revoked = true
		return reusedToken, nil
	}
	m.retries++
	s.lost.again(s.generation, m.now)
	return accepted, s
}

// swappable tells whether a token is a refresh token of a live session, of whichever generation.
func (m *model) swappable(h *held) bool {
	if h.kind != "refresh" && h.kind != "jwt" || h.kind == "jwt" && !m.now.Before(h.expires.Add(modelLeeway)) {
		return false
	}
	return m.alive(h.session)
}

// inGrace tells whether a token is the last one before that in force, a moment after the rotation or a lost answer.
func (m *model) inGrace(h *held) bool {
	s, since := h.session, m.now.Add(-modelGrace)
	return h.generation == s.generation-1 &&
		(!s.rotated.Before(since) || s.lost.generation == s.generation && !s.lost.last.Before(since))
}

// answerLost tells whether a token is the last one before that in force, of somebody who never got the answer.
func (m *model) answerLost(d *door, h *held) bool {
	s, l := h.session, h.session.lost
	tries := l.count
	if l.generation != s.generation {
		tries = 0
		if l.generation == s.generation-1 {
			tries = l.inARow
		}
	}
	return h.generation == s.generation-1 && !d.singleUse && !l.useless && m.now.Before(l.until) && tries < modelTries
}

func (l *losses) again(generation int, now time.Time) {
	switch l.generation {
	case generation:
		l.count++
	case generation - 1:
		l.count, l.inARow = 1, l.inARow+1
	default:
		l.count, l.inARow = 1, 1
	}
	l.generation, l.last = generation, now
}

// logoutBy ends the session of a refresh token.
func (m *model) logoutBy(d *door, h *held) string {
	expired := h.kind == "jwt" && !m.now.Before(h.expires.Add(modelLeeway))
	switch {
	case (h.kind == "refresh" || h.kind == "jwt") && !expired && h.session.revoked && d.allowEnded:
		return accepted
	case !m.swappable(h):
		return badToken
	}
	h.session.revoked = true
	if h.generation == h.session.generation || m.inGrace(h) || m.answerLost(d, h) {
		return accepted
	}
	return reusedToken
}

func (m *model) logout(w way, h *held, everywhere bool) string {
	switch {
	case !m.good(w, h) || !m.valid(h):
		return unauthenticated
	case h.key != nil:
		return forbidden
	}
	if everywhere {
		m.endOthers(h.session)
	}
	h.session.revoked = true
	return accepted
}

// endOthers ends the sessions of a person but one.
func (m *model) endOthers(spare *modelSession) {
	for _, s := range m.sessions {
		if s.user == spare.user && s != spare && m.alive(s) {
			s.revoked = true
		}
	}
}

func (m *model) revoke(w way, h *held, which *modelSession) string {
	s, who := m.caller(w, h)
	switch {
	case s == nil:
		return who
	case which.user != s.user || !m.alive(which):
		return absent
	}
	which.revoked = true
	return accepted
}

// prove holds the current password against that of the account; nil stands for none given, where time decides.
func (m *model) prove(d *door, s *modelSession, current *string) string {
	switch {
	case current == nil && (d.noSudo || m.now.Before(s.proved.Add(d.sudo))):
		return accepted
	case current == nil:
		return needsSudo
	case m.locked(s):
		return locked
	case *current != s.user.password:
		m.fail(s)
		return wrongPassword
	}
	return accepted
}

func (m *model) changePassword(d *door, w way, h *held, current *string, next string) string {
	rules := newPassword(d, next)
	switch {
	case d.early && rules == weak:
		return weak
	case d.conflict && current != nil && *current == next:
		return same
	}
	s, who := m.caller(w, h)
	if s == nil {
		return who
	}
	if rules != accepted {
		return rules
	}
	if proof := m.prove(d, s, current); proof != accepted {
		return proof
	}
	if current != nil {
		delete(m.failed, s)
	}
	s.user.password, s.user.pending = next, ""
	m.endOthers(s)
	return accepted
}

func (m *model) changeEmail(d *door, w way, h *held, current *string, email string) string {
	s, who := m.caller(w, h)
	switch {
	case s == nil:
		return who
	case d.keepsEmail && s.user.email == email:
		return accepted
	}
	if proof := m.prove(d, s, current); proof != accepted {
		return proof
	}
	other := m.byEmail(email)
	held := other != nil && other != s.user // and nobody of the model proved an address
	if current != nil {
		delete(m.failed, s)
	}
	switch {
	case d.atOnce && !held || canonical(s.user.email) == canonical(email):
		s.user.email, s.user.pending = email, ""
	default: // it waits, whoever has it
		s.user.pending = email
	}
	return accepted
}

func (m *model) changeUsername(w way, h *held, name string) string {
	s, who := m.caller(w, h)
	if s == nil {
		return who
	}
	if other := m.byUsername(name); other != nil && other != s.user {
		return takenUsername
	}
	s.user.username = name
	return accepted
}

func (m *model) sudo(d *door, w way, h *held, current string) string {
	s, who := m.caller(w, h)
	if s == nil {
		return who
	}
	if proof := m.prove(d, s, &current); proof != accepted {
		return proof
	}
	delete(m.failed, s)
	s.proved = m.now
	return accepted
}

// revokeOthers ends the other sessions of who asks.
func (m *model) revokeOthers(w way, h *held) string {
	s, who := m.caller(w, h)
	if s != nil {
		m.endOthers(s)
	}
	return who
}

// read is a read of the own account, of a list or of the keys.
func (m *model) read(d *door, w way, h *held) string {
	u := m.reader(w, h)
	switch {
	case u == nil:
		return unauthenticated
	case h.key != nil && d.readWrites:
		return forbidden
	}
	return accepted
}

// makeKey gives the new key too.
func (m *model) makeKey(w way, h *held) (string, *modelKey) {
	s, who := m.caller(w, h)
	if s == nil {
		return who, nil
	}
	k := &modelKey{user: s.user}
	m.keys = append(m.keys, k)
	return accepted, k
}

func (m *model) deleteKey(w way, h *held, k *modelKey) string {
	s, who := m.caller(w, h)
	switch {
	case s == nil:
		return who
	case k.user != s.user || k.deleted:
		return absent
	}
	k.deleted = true
	return accepted
}

// suspend ends the sessions of a person, who then can not sign in; the keys are worth nothing meanwhile.
func (m *model) suspend(u *modelUser) {
	u.suspended = true
	for _, s := range m.sessions {
		s.revoked = s.revoked || s.user == u
	}
}

// readRenewed is a read by an access token and a refresh token side by side: where the one is not good, the other is
// swapped, unless the two are of different sessions.
func (m *model) readRenewed(d *door, w way, access, refresh *held) (u *modelUser, renewed *modelSession) {
	if u := m.reader(w, access); u != nil {
		return u, nil
	}
	if access.kind == "access" && access.session != refresh.session || access.kind == "key" {
		return nil, nil
	}
	if decision, s := m.refresh(d, refresh); decision == accepted {
		return s.user, s
	}
	return nil, nil
}
