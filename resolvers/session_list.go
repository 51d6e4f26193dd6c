package resolvers

import (
	"context"
	"math"

	"github.com/mileusna/useragent"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Sessions is Query.sessions.
func (r *resolver) Sessions(ctx context.Context) ([]*db.Session, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return r.DB.Sessions(ctx, c.User.ID, r.now())
}

// Session is Query.session.
func (q queries) Session(ctx context.Context, id *string, number *int) (*db.Session, error) {
	c, err := q.person(ctx)
	if err != nil {
		return nil, err
	}
	want, ok := sessionNamed(id, number)
	if !ok {
		return nil, fault.New(fault.BadUserInput, "Give the id or the number, one of them.")
	}
	if want == (named{}) {
		return nil, nil
	}
	return q.DB.SessionOf(ctx, c.User.ID, want.id, want.number, q.now())
}

// named is one way to name a session. Both parts are zero where no session can have that id or number: it is absent then,
// like one that is somebody else's (SE-18).
type named struct {
	id     db.SessionID
	number int
}

func sessionNamed(id *string, number *int) (n named, ok bool) {
	if (id == nil) == (number == nil) {
		return n, false
	}
	if number != nil {
		if *number > 0 && *number <= math.MaxInt32 {
			n.number = *number
		}
		return n, true
	}
	_ = n.id.UnmarshalText([]byte(*id))
	return n, true
}

// RevokeSession is Mutation.revokeSession.
func (r *resolver) RevokeSession(ctx context.Context, input graph.RevokeSessionInput) (*graph.RevokeSessionPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	id, err := r.revokeSession(ctx, c, input)
	forget(ctx)
	if err != nil {
		errs, err := refused(r.record(ctx, err, db.Event{Action: "revoke_session", User: c.User.ID, Sess: c.Caller.Session.ID}))
		return &graph.RevokeSessionPayload{UserErrors: errs}, err
	}
	r.cookieEnded(ctx, id, false)
	text := id.String()
	return &graph.RevokeSessionPayload{RevokedSessionID: &text, UserErrors: accepted()}, nil
}

func (r *resolver) revokeSession(ctx context.Context, c *caller, input graph.RevokeSessionInput) (db.SessionID, error) {
	want, ok := sessionNamed(input.ID.Value(), input.Number.Value())
	if !ok {
		return want.id, fault.New(fault.InvalidInput, "Give the id or the number, one of them.", "input")
	}
	id, err := r.DB.RevokeSession(ctx, c.User.ID, want.id, want.number, r.now())
	if err == nil && id.IsZero() {
		err = fault.New(fault.NotFound, "There is no such session.", "input")
	}
	return id, err
}

// RevokeOtherSessions is Mutation.revokeOtherSessions.
func (r *resolver) RevokeOtherSessions(ctx context.Context) (*graph.RevokeOtherSessionsPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	n, err := r.DB.LogoutOthers(ctx, c.Caller.Session.ID, r.now())
	if err == nil && n == 0 {
		forget(ctx)
		if _, err := r.person(ctx); err != nil {
			return nil, err // the session that asked is over itself, since a moment ago
		}
		e := db.Event{Action: "revoke_other_sessions", User: c.User.ID, Sess: c.Caller.Session.ID}
		err = r.DB.Record(ctx, e, r.now())
	}
	if err != nil {
		return nil, err
	}
	return &graph.RevokeOtherSessionsPayload{RevokedCount: &n, UserErrors: accepted()}, nil
}

// sessionFields answers what the row of a session can not.
type sessionFields struct{ *resolver }

// Device is Session.device.
func (sessionFields) Device(_ context.Context, s *db.Session) (*graph.Device, error) {
	return device(s.UserAgent), nil
}

// device words what a program calls itself; nil for nothing.
func device(userAgent *string) *graph.Device {
	if userAgent == nil {
		return &graph.Device{Name: "Unknown device"}
	}
	ua := useragent.Parse(*userAgent)
	d := &graph.Device{Name: "Unknown device", Client: some(ua.Name), ClientVersion: some(ua.Version), Os: some(ua.OS)}
	place := ua.Device // iPhone, Pixel 7
	if place == "" {
		place = ua.OS
	}
	switch {
	case ua.Name != "" && place != "":
		d.Name = ua.Name + " on " + place
	case ua.Name != "":
		d.Name = ua.Name
	case place != "":
		d.Name = place
	}
	return d
}

// IsCurrent is Session.isCurrent.
func (f sessionFields) IsCurrent(ctx context.Context, s *db.Session) (bool, error) {
	c, err := f.caller(ctx)
	return err == nil && c != nil && c.Caller.Session.ID == s.ID, err
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
