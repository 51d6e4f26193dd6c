package resolvers

import (
	"context"
	"maps"
	"sync"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// userFields is the resolver of the fields of User that are not those of the row.
type userFields struct{ *resolver }

// securityBatch holds what User.security gives in one operation. A list says first which accounts it shows, so that one
// statement reads them all.
type securityBatch struct {
	mu    sync.Mutex
	shown map[db.UserID]*db.User // not read yet
	read  map[db.UserID]*db.UserSecurity
}

// willShow says that the answer may show what failures did to these accounts.
func willShow(ctx context.Context, users ...*db.User) {
	slot, ok := ctx.Value(callerKey{}).(*callerSlot)
	if !ok {
		return
	}
	s := &slot.security
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(users...)
}

func (s *securityBatch) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown, s.read = nil, nil
}

func (s *securityBatch) add(users ...*db.User) {
	if s.shown == nil {
		s.shown, s.read = map[db.UserID]*db.User{}, map[db.UserID]*db.UserSecurity{}
	}
	for _, u := range users {
		s.shown[u.ID] = u
	}
}

// Security is User.security: null without USERS_READ, for the own account too. A lock shows to who earned it, and to
// administrators.
func (f userFields) Security(ctx context.Context, u *db.User) (*db.UserSecurity, error) {
	slot, ok := ctx.Value(callerKey{}).(*callerSlot)
	if c, err := f.caller(ctx); err != nil || c == nil || !ok || !c.may(db.UsersRead) {
		return nil, err
	}
	s := &slot.security
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.read[u.ID] == nil || s.shown[u.ID] != nil {
		s.add(u)
		users := make([]*db.User, 0, len(s.shown))
		for _, shown := range s.shown {
			users = append(users, shown)
		}
		read, err := f.DB.Security(ctx, users, limit.Delay, f.now())
		if err != nil {
			return nil, err
		}
		clear(s.shown)
		maps.Copy(s.read, read)
	}
	return s.read[u.ID], nil
}
