// Command timing measures whether the time of an answer tells what its words hide: whether an account exists, whether
// somebody has an address, and whether they proved it. It asks a server of its own, through GraphQL and every dialect
// that has the operation, in turns of random order:
//
//	go run ./tests/timing -samples 2000
//
// A line says how well the time alone tells two classes apart, as the area under the curve (AUC): 0.5 is not at all, 1
// is always. The command fails where a line is outside of 0.47 to 0.53. Chance alone leaves that with fewer than a
// thousand samples, and so does a machine that is busy with something else.
//
// Passwords are hashed as the program hashes them, which takes most of the time of a run. With -cheap a hash costs next
// to nothing, and differences of some microseconds show that nobody sees from outside.
package main

import (
	"context"
	secret "crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/operator"
)

const (
	bound   = 0.03 // that an AUC may be off 0.5
	warmUps = 20   // requests of each class that do not count
)

var errTells = errors.New("timing: the time of an answer tells classes apart; see the lines with OUTSIDE")

// options are what the command line says.
type options struct {
	samples        int
	database, only string
	cheap          bool
}

func main() {
	var o options
	flag.IntVar(&o.samples, "samples", 2000, "requests of each class")
	flag.StringVar(&o.database, "database", "", "the address of an empty Postgres database; SQLite without one")
	flag.StringVar(&o.only, "only", "",
		"measure this operation or door alone, for example sign-in, or both: \"sign-in after import, GraphQL\"")
	flag.BoolVar(&o.cheap, "cheap", false, "hash passwords with the least cost")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// chosen tells whether a line is measured.
func (o options) chosen(c comparison) bool {
	for word := range strings.SplitSeq(o.only, ",") {
		if word = strings.TrimSpace(word); word != "" && word != c.operation && word != c.door {
			return false
		}
	}
	return true
}

const line = "%-20s  %-22s  %-23s  %-18s  %-5s  %s\n"

func run(ctx context.Context, o options) error {
	fmt.Printf(line, "operation", "door", "classes", "medians", "AUC", "")
	outside := false
	for _, ofImport := range []bool{false, true} { // each on a server of its own
		var due []comparison
		for _, c := range comparisons {
			if o.chosen(c) && (c.operation == afterImport) == ofImport {
				due = append(due, c)
			}
		}
		if len(due) == 0 {
			continue
		}
		tells, err := measure(ctx, o, due)
		if err != nil {
			return err
		}
		outside = outside || tells
	}
	if outside {
		return errTells
	}
	return nil
}

// measure prints a line for each comparison, and tells whether any is outside of the bound.
func measure(ctx context.Context, o options, due []comparison) (outside bool, err error) {
	s, err := start(ctx, o)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	for _, c := range due {
		auc, medians, err := s.compare(ctx, c, o.samples)
		if err != nil {
			return false, fmt.Errorf("timing: %s at %s: %w", c.operation, c.door, err)
		}
		verdict := ""
		if auc < 0.5-bound || auc > 0.5+bound {
			verdict, outside = "OUTSIDE", true
		}
		fmt.Printf(line, c.operation, c.door, c.classes[0]+", "+c.classes[1], fmt.Sprint(medians[0], ", ", medians[1]),
			fmt.Sprintf("%.3f", auc), verdict)
	}
	return outside, nil
}

// server is a server under measurement and an administrator, who makes the accounts.
type server struct {
	url      string
	app      *app.Server
	http     *http.Server
	folder   string
	settings *config.Settings
	admin    string // access token
	asked    int    // requests, each from a network of its own
	names    int    // addresses that were given out
}

// start runs a server with the limits on, and with registrations that answer alike for everybody.
func start(ctx context.Context, o options) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "dragoman-timing")
	if err != nil {
		return nil, err
	}
	values := map[string]string{
		"DRAGOMAN_LISTEN": l.Addr().String(), "DRAGOMAN_DATA_DIR": folder, "DATABASE_URL": o.database,
		"DRAGOMAN_SECRET": secret.Text() + secret.Text(), "DRAGOMAN_TRUSTED_PROXIES": "127.0.0.0/8",
		"DRAGOMAN_REQUIRE_VERIFIED_EMAIL": "on", "DRAGOMAN_LIMIT_ACCOUNT_MUTATION": "1000000/1s",
		"DRAGOMAN_ACCESS_TTL": "24h",
	}
	settings, err := config.Load(func(name string) string { return values[name] })
	if err != nil {
		return nil, err
	}
	hasher := password.NewHasher(runtime.GOMAXPROCS(0))
	if o.cheap {
		hasher = password.NewThrowawayHasher(runtime.GOMAXPROCS(0))
	}
	a, err := app.Open(ctx, settings, app.Options{
		Version: "timing", Hasher: hasher, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	s := &server{url: "http://" + l.Addr().String(), app: a, http: a.HTTPServer(), folder: folder, settings: settings}
	go s.http.Serve(l) //nolint:errcheck // it ends by Close
	return s, s.administer(ctx, settings)
}

// administer makes the administrator, who gets a password that is shown once.
func (s *server) administer(ctx context.Context, settings *config.Settings) error {
	var shown strings.Builder
	if err := operator.CreateAdmin(ctx, settings, &shown, "admin@example.com", ""); err != nil {
		return err
	}
	_, chosen, _ := strings.Cut(strings.TrimSpace(shown.String()), "shown this once: ")
	_, text, _, err := s.send(ctx, "POST /graphql", graphql("login(input: {email: \"admin@example.com\", password: \""+
		chosen+"\"}) { tokens { accessToken } userErrors { code } }"), "")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			Login struct{ Tokens struct{ AccessToken string } }
		}
	}
	err = json.Unmarshal([]byte(text), &answer)
	if s.admin = answer.Data.Login.Tokens.AccessToken; err != nil || s.admin == "" {
		return fmt.Errorf("timing: the administrator can not sign in: %s", text)
	}
	return nil
}

func graphql(mutation string) string {
	b, _ := json.Marshal(map[string]string{"query": "mutation { " + mutation + " }"}) // texts can not fail
	return string(b)
}

func (s *server) stop(ctx context.Context) error {
	return errors.Join(s.http.Close(), s.app.Close(ctx), os.RemoveAll(s.folder))
}

// compare asks for both classes in turns of random order.
func (s *server) compare(
	ctx context.Context, c comparison, samples int,
) (auc float64, medians [2]time.Duration, err error) {
	var names [2][]string
	for class, prepare := range c.prepare {
		for range samples + warmUps {
			name, err := s.name(ctx, prepare)
			if err != nil {
				return 0, medians, err
			}
			names[class] = append(names[class], name)
		}
		if prepare == imported {
			if err := s.importAll(ctx, names[class]); err != nil {
				return 0, medians, err
			}
		}
	}
	var times [2][]time.Duration
	turns := make([]byte, samples+warmUps)
	_, _ = secret.Read(turns) // it never fails
	for n := range samples + warmUps {
		first := int(turns[n] & 1)
		for _, class := range []int{first, 1 - first} {
			took, err := s.ask(ctx, c.request, names[class][n])
			if err != nil {
				return 0, medians, err
			}
			if n >= warmUps {
				times[class] = append(times[class], took)
			}
		}
	}
	for class := range times {
		slices.Sort(times[class])
		medians[class] = times[class][samples/2].Round(time.Microsecond)
	}
	return area(times[0], times[1]), medians, nil
}

// ask sends one request and gives the time until its whole answer was there.
func (s *server) ask(ctx context.Context, q request, email string) (time.Duration, error) {
	status, text, took, err := s.send(ctx, q.route, fill(q.body, email), "")
	if answer := fmt.Sprint(status, " ", text); err == nil && !strings.HasPrefix(answer, q.answer) {
		err = fmt.Errorf("the answer is %.300s, want %s", answer, q.answer)
	}
	return took, err
}

func (s *server) send(ctx context.Context, route, body, token string) (int, string, time.Duration, error) {
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", 0, err
	}
	s.asked++
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("%d.%d.%d.1", 20+s.asked>>16, s.asked>>8&255, s.asked&255))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	begun := time.Now()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", 0, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), time.Since(begun), err
}

// area is how often a time of the second class is the longer one: the area under the curve. Both are sorted; equal
// times count by halves.
func area(a, b []time.Duration) float64 {
	wins, below, notAbove := 0, 0, 0
	for _, t := range b {
		for below < len(a) && a[below] < t {
			below++
		}
		for notAbove < len(a) && a[notAbove] <= t {
			notAbove++
		}
		wins += below + notAbove
	}
	return float64(wins) / 2 / float64(len(a)) / float64(len(b))
}
