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
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/rest"
)

// LoadDialects reads the dialects that the settings name, and puts further ones on top. What is wrong with a setting is a
// *config.Error, what is wrong with a file a *rest.Fault.
func LoadDialects(settings *config.Settings, further ...*rest.Dialect) ([]*rest.Dialect, error) {
	if err := checkDir(settings.DialectsDir); err != nil {
		return nil, err
	}
	dialects, err := rest.Load(settings.DialectsDir, settings.Dialects, further...)
	if unknown, ok := errors.AsType[*rest.UnknownError](err); ok {
		return nil, &config.Error{Name: "DRAGOMAN_DIALECTS", Value: unknown.Name, Want: "all, none, or some of " + strings.Join(unknown.Known, ",")}
	}
	return dialects, err
}

func checkDir(dir string) error {
	if dir == "" {
		return nil
	}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); ext == ".yaml" || ext == ".yml" {
			return nil
		}
	}
	return &config.Error{Name: "DRAGOMAN_DIALECTS_DIR", Value: dir, Want: "the path of a directory with dialect files (*.yaml, *.yml)"}
}

// ListDialects prints the dialects that there are, and which of them are served.
func ListDialects(settings *config.Settings, stdout io.Writer) error {
	served, err := LoadDialects(settings)
	if err != nil {
		return err
	}
	all, err := rest.Load(settings.DialectsDir, nil)
	if err != nil {
		return err
	}
	on := map[string]string{}
	for _, d := range served {
		on[d.Name] = "yes"
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSERVED\tMOUNTS\tROUTES\tFILE\tTITLE")
	for _, d := range all {
		if on[d.Name] == "" {
			on[d.Name] = "no"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", d.Name, on[d.Name], strings.Join(d.Mounts, " "), d.Routes(), d.File, d.Title)
	}
	return table.Flush()
}

// ShowDialect prints the file of a dialect, from which one of your own can start.
func ShowDialect(settings *config.Settings, stdout io.Writer, name string) error {
	if err := checkDir(settings.DialectsDir); err != nil {
		return err
	}
	found, err := rest.Load(settings.DialectsDir, []string{name})
	if err != nil {
		return err
	}
	_, err = stdout.Write(found[0].Text)
	return err
}

// Serve starts a server with these settings on a listener, for one dialect beside the ones that are served anyway.
type Serve func(ctx context.Context, settings *config.Settings, l net.Listener, now func() time.Time, log *slog.Logger, d *rest.Dialect) (
	stop func(), err error)

var errDialect = errors.New("the dialect does not do what its file says")

// CheckDialect reads a dialect file as the server would at start, beside the dialects that are served, and runs its
// examples, each on a server and a database of its own that are gone afterwards.
func CheckDialect(ctx context.Context, settings *config.Settings, stdout io.Writer, file string, serve Serve) error {
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
		return throwAway(ctx, settings, own, slog.New(seen), d, serve)
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
			fmt.Fprintf(stdout, "FAIL  %s: %s (%s:%d)\n      %s\n", e.Call, e.Title, file, e.Line(), strings.Join(lines, "\n      "))
			continue
		}
		fmt.Fprintf(stdout, "ok    %s: %s\n", e.Call, e.Title)
	}
	fmt.Fprintf(stdout, "%s: %s, %s, %d failed\n", d.Name, several(d.Routes(), "route"), several(len(d.Examples()), "example"), failed)
	if failed > 0 {
		return errDialect
	}
	return nil
}

// throwAway starts a server on a new SQLite database; its clock moves when it is told to wait.
func throwAway(ctx context.Context, settings *config.Settings, own map[string]string, log *slog.Logger, d *rest.Dialect, serve Serve) (
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
	clean := func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	}
	values := map[string]string{
		"DRAGOMAN_DATA_DIR": filepath.Join(dir, "data"), "DRAGOMAN_LISTEN": l.Addr().String(),
		"DRAGOMAN_DIALECTS_DIR": settings.DialectsDir,
	}
	for name, value := range own {
		values[name] = value
	}
	temporary, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		clean()
		return nil, err
	}
	temporary.Dialects = settings.Dialects
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	stop, err := serve(ctx, temporary, l, now, log, d)
	if err != nil {
		clean()
		return nil, err
	}
	return &rest.Server{
		URL: "http://" + l.Addr().String(), Wait: func(by time.Duration) { ahead.Add(int64(by)) }, Stop: func() { stop(); clean() },
		Promote: func(ctx context.Context, who string) error {
			return SetRole(ctx, temporary, io.Discard, who, db.RoleAdmin)
		},
		Mail: mailReader(temporary, now),
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
