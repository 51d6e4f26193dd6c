package rest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// shelfWithDates answers unknown routes with a cookie that has a date.
const shelfWithDates = `dialect: shelf
title: Shelf API
mounts: [/shelf]
cookies: {seen: {expires: true, maxAge: 1h}}
errors:
  body: {error: =.message}
  UNKNOWN_ROUTE: {cookies: {seen: "yes"}}
  UNAUTHENTICATED: {status: 401}
  FORBIDDEN: {status: 403}
routes:
  - route: GET /me
    document: "query Me { me { id } }"
    body: {id: =.me.id}
`

// engineAt mounts dialects on a server with its own clock and public URL.
func engineAt(t *testing.T, publicURL string, now time.Time, dialects ...*Dialect) *Engine {
	t.Helper()
	e, err := New(context.Background(), Config{
		Dialects: dialects, GraphQL: handler(), Site: site.Parse(publicURL), Reserved: reserved,
		NotFound: http.NotFound, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		Page:         func(http.ResponseWriter, *http.Request, Page) {},
		MatchExpired: func(string, string) (bool, bool) { return false, false },
	})
	if err != nil {
		t.Error(err)
	}
	return e
}

// Two engines of one dialect do not influence each other.
func TestEngines_ShareADialect(t *testing.T) {
	t.Parallel()
	d, err := Parse("shelf.yaml", []byte(shelfWithDates))
	if err != nil {
		t.Fatal(err)
	}
	early, late := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	plain, safe := engineAt(t, "http://localhost:8080", early, d), engineAt(t, "https://auth.example.com", late, d)
	for _, want := range []struct {
		engine *Engine
		now    time.Time
		secure bool
	}{{plain, early, false}, {safe, late, true}, {plain, early, false}} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest("GET", "/shelf/nothing", nil)
		want.engine.ServeHTTP(w, req.WithContext(visit.With(req.Context(), &visit.Visit{})))
		set := w.Result().Cookies()
		if w.Code != http.StatusNotFound || len(set) != 1 {
			t.Fatalf("status %d, cookies %v: %s", w.Code, set, w.Body)
		}
		if set[0].Secure != want.secure || !set[0].Expires.Equal(want.now.Add(time.Hour)) {
			t.Errorf("secure %v until %s, want %v until an hour after %s", set[0].Secure, set[0].Expires, want.secure,
				want.now)
		}
	}
	if d.cookies[0].secure || d.cookies[0].now != nil {
		t.Error("an engine changed the dialect that it was given")
	}
}

// Built-in dialects are read once and shared by servers that start at the same time. The race detector reports an
// engine that writes to them.
func TestLoad_Once(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	loaded := make([][]*Dialect, 4)
	for i := range loaded {
		wg.Go(func() {
			all, err := Load("", nil)
			if err != nil {
				t.Error(err)
				return
			}
			loaded[i] = all
			engineAt(t, "https://auth.example.com", time.Now(), all...).Describe()
			Profiles(all, i%2 == 0, 8, "https://auth.example.com")
		})
	}
	wg.Wait()
	for _, all := range loaded[1:] {
		if len(all) != len(loaded[0]) {
			t.Fatalf("%d dialects, then %d", len(loaded[0]), len(all))
		}
		for i, d := range all {
			if d != loaded[0][i] {
				t.Errorf("%s was read twice", d.Name)
			}
		}
	}
	loaded[0][0] = nil // a caller may change the list
	if again, err := Load("", nil); err != nil || again[0] == nil {
		t.Errorf("the list is shared: %v", err)
	}
}
