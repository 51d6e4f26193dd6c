package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/rest"
)

var errDialect = errors.New("dialect: an example failed; correct the file or the example")

// CheckDialect reads a dialect file as the server would at start, beside the dialects that are served, and runs its
// examples, each on a server and a database of its own that are gone afterwards.
func CheckDialect(ctx context.Context, settings *config.Settings, stdout io.Writer, file string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := rest.Parse(file, source); err != nil {
		return err
	}
	seen := &mistakes{}
	start := func(own map[string]string) (*rest.Server, error) {
		d, err := rest.Parse(file, source) // an engine keeps what it is given
		if err != nil {
			return nil, err
		}
		return throwAway(ctx, settings, own, slog.New(seen), d)
	}
	probe, err := start(nil) // says what is wrong with a file that has no example
	if err != nil {
		return err
	}
	probe.Stop()
	d, _ := rest.Parse(file, source)
	failed := 0
	for _, e := range d.Examples() {
		err := d.Run(ctx, e, start)
		said := seen.take() // also what an example that expects a 500 made the server say
		if err != nil {
			failed++
			lines := append(strings.Split(err.Error(), "\n"), said...)
			fmt.Fprintf(
				stdout, "FAIL  %s: %s (%s:%d)\n      %s\n", e.Call, e.Title, file, e.Line(),
				strings.Join(lines, "\n      "),
			)
			continue
		}
		fmt.Fprintf(stdout, "ok    %s: %s\n", e.Call, e.Title)
	}
	fmt.Fprintf(
		stdout, "%s: %s, %s, %d failed\n", d.Name, several(d.Routes(), "route"), several(len(d.Examples()), "example"),
		failed,
	)
	if failed > 0 {
		return errDialect
	}
	return nil
}

// throwAway starts a server on a new SQLite database, with d beside the dialects that are served anyway; its clock
// moves when it is told to wait.
func throwAway(
	ctx context.Context, settings *config.Settings, own map[string]string, log *slog.Logger, d *rest.Dialect,
) (
	_ *rest.Server, err error,
) {
	dir, err := os.MkdirTemp("", "dragoman-check-")
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close(), os.RemoveAll(dir))
		}
	}()
	values := map[string]string{
		"DRAGOMAN_DATA_DIR": filepath.Join(dir, "data"), "DRAGOMAN_LISTEN": l.Addr().String(),
		"DRAGOMAN_DIALECTS_DIR": settings.DialectsDir,
	}
	for name, value := range own {
		values[name] = value
	}
	temporary, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		return nil, err
	}
	temporary.Dialects = settings.Dialects
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	a, err := app.Open(ctx, temporary, app.Options{
		Hasher: password.NewThrowawayHasher(runtime.GOMAXPROCS(0)), Now: now, Log: log, Dialects: []*rest.Dialect{d},
	})
	if err != nil {
		return nil, err
	}
	server := a.HTTPServer()
	go func() { _ = server.Serve(l) }()
	return &rest.Server{
		URL: "http://" + l.Addr().String(), Wait: func(by time.Duration) { ahead.Add(int64(by)) },
		Stop: func() { _ = errors.Join(server.Close(), a.Close(ctx), os.RemoveAll(dir)) },
		Promote: func(ctx context.Context, who string) error {
			return SetRole(ctx, temporary, io.Discard, who, db.RoleAdmin)
		},
		Mail: mailReader(temporary, now),
		TOTP: func(secret string) (string, error) { return totp.CodeOf(secret, now()) },
	}, nil
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// mistakes is a log that keeps what a server says of its errors, for the person who writes the file.
type mistakes struct {
	mu   sync.Mutex
	said []string
}

// Enabled is slog.Handler.
func (m *mistakes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle is slog.Handler.
func (m *mistakes) Handle(_ context.Context, r slog.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			m.said = append(m.said, a.Value.String())
		}
		return true
	})
	return nil
}

// WithAttrs is slog.Handler.
func (m *mistakes) WithAttrs([]slog.Attr) slog.Handler { return m }

// WithGroup is slog.Handler.
func (m *mistakes) WithGroup(string) slog.Handler { return m }

// take gives what was said since it was last asked.
func (m *mistakes) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	said := m.said
	m.said = nil
	return said
}
