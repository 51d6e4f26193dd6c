package resolvers

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// endedSessions are sessions that this process found ended or deleted, the latest of them. Neither comes back, so their
// refresh tokens are worth nothing: no limit that honest callers need counts them (LG-37).
type endedSessions struct {
	mu    sync.Mutex
	known *simplelru.LRU[db.SessionID, bool] // whether somebody ended it; else it was deleted
}

func newEndedSessions() *endedSessions {
	known, err := simplelru.NewLRU[db.SessionID, bool](limit.DefaultSize, nil)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &endedSessions{known: known}
}

func (e *endedSessions) add(session db.SessionID, revoked bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known.Add(session, revoked)
}

func (e *endedSessions) find(session db.SessionID) (revoked, found bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.known.Get(session)
}

// enterByRefreshToken asks for admission for a call with a genuine refresh token. A session that is known to be over is
// not counted here: the door counts the call as worthless. The count of the session comes before that of its address,
// so that no session uses up what its address has (LG-37).
func (r *resolver) enterByRefreshToken(ctx context.Context, session db.SessionID) (ended bool, err error) {
	if _, ended = r.ended.find(session); ended {
		return true, nil
	}
	if err := r.countSession(ctx, session); err != nil {
		return false, err
	}
	return false, limit.Enter(ctx)
}
