package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/origin"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// Loopback tells whether this machine alone can reach the server: every listener is a loopback address, and so is the
// host of the public URL. Another public URL means a proxy on this machine.
func (s *Settings) Loopback() bool {
	if u, err := url.Parse(s.PublicURL); s.PublicURL != "" && (err != nil || !loopback(u.Hostname())) {
		return false
	}
	for _, address := range s.Listen {
		if host, _, _ := net.SplitHostPort(address); !loopback(host) {
			return false
		}
	}
	return true
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// URL gives the URL under which callers reach the server, without a trailing slash. It never depends on a request
// (HT-14).
func (s *Settings) URL() string {
	if s.PublicURL != "" {
		return s.PublicURL
	}
	host, port, _ := net.SplitHostPort(s.Listen[0])
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Site gives the place under which callers reach the server.
func (s *Settings) Site() site.Site { return site.Parse(s.URL()) }

// HTTPS tells whether callers use TLS, which a proxy terminates.
func (s *Settings) HTTPS() bool { return s.Site().HTTPS() }

// Origins gives the policy for web pages of other origins.
func (s *Settings) Origins() *origin.Policy {
	return origin.New(s.Site().Origin(), s.CORSOrigins, s.CORSOrigins == nil && s.Loopback())
}

// DSN gives the Postgres URL that is set, or else sqlite: with the path of the file in the data directory. It makes the
// directory (0700) and the file (0600).
func (s *Settings) DSN() (string, error) {
	if dsn := s.DatabaseURL.Reveal(); dsn != "" {
		return dsn, nil
	}
	if err := s.makeDataDir(); err != nil {
		return "", err
	}
	path := s.file()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("DRAGOMAN_DATA_DIR: %w", err)
	}
	// An existing file may be readable for others.
	return "sqlite:" + path, errors.Join(f.Chmod(0o600), f.Close())
}

// ExistingDSN gives the same as DSN, but fails if the file does not exist.
func (s *Settings) ExistingDSN() (string, error) {
	if dsn := s.DatabaseURL.Reveal(); dsn != "" {
		return dsn, nil
	}
	if _, err := os.Stat(s.file()); err != nil {
		return "", fmt.Errorf("DRAGOMAN_DATA_DIR: %w", err)
	}
	return "sqlite:" + s.file(), nil
}

func (s *Settings) file() string { return filepath.Join(s.DataDir, "dragoman.db") }

func (s *Settings) makeDataDir() error {
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return fmt.Errorf("DRAGOMAN_DATA_DIR: %w", err)
	}
	return nil
}

// Open listens on every address. It refuses unless where mails go and which dialects are served is clear. localhost
// stands for 127.0.0.1 and ::1; a machine without IPv6 listens on the first alone. Port 0 is any free port; s.Listen
// then holds the port that was chosen.
func (s *Settings) Open(ctx context.Context) (all []net.Listener, err error) {
	if err := cmp.Or(s.requireMail(), s.RequireDialects()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, open := range all {
				_ = open.Close()
			}
			err = fmt.Errorf(
				"DRAGOMAN_LISTEN: %w; stop what listens there, or choose another address, such as localhost:8081", err)
		}
	}()
	var lc net.ListenConfig
	for i, address := range s.Listen {
		host, port, _ := net.SplitHostPort(address)
		hosts := []string{host}
		if host == "localhost" {
			hosts = []string{"127.0.0.1", "::1"}
		}
		for n, h := range hosts {
			l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(h, port))
			if err != nil {
				if n > 0 && noIPv6(err) {
					continue
				}
				return all, err
			}
			all = append(all, l)
			_, port, _ = net.SplitHostPort(l.Addr().String())
		}
		s.Listen[i] = net.JoinHostPort(host, port)
	}
	return all, nil
}

// noIPv6 tells whether the error of a listener means a machine without IPv6, and not an address in use.
func noIPv6(err error) bool {
	text := err.Error()
	return strings.Contains(text, "cannot assign requested address") || strings.Contains(text, "not supported")
}

func listenOnPort(port string) (string, error) {
	if port == "" {
		return defaultListen, nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", &Error{Name: "PORT", Value: port, Want: "a port number from 1 to 65535"}
	}
	return ":" + port, nil
}

func parseListen(s *Settings, v string) bool {
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		_, port, err := net.SplitHostPort(part)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
			return false
		}
		s.Listen = append(s.Listen, part)
	}
	return true
}

// publicPath matches the path prefix of a public URL: segments of unreserved characters (RFC 3986, section 2.3), which
// have one spelling.
var publicPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

func parsePublicURL(s *Settings, v string) bool {
	if v == "" {
		return true
	}
	u, err := url.Parse(strings.TrimSuffix(v, "/"))
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(v, "?#") {
		return false
	}
	prefix := u.EscapedPath()
	s.PublicURL = u.Scheme + "://" + strings.ToLower(u.Host) + prefix
	return (u.Scheme == "http" || u.Scheme == "https") && publicPath.MatchString(prefix) &&
		(prefix == "" || path.Clean(prefix) == prefix)
}

func parseOrigins(s *Settings, v string) bool {
	switch v {
	case "auto":
		return true
	case "none":
		s.CORSOrigins = []string{}
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		canonical, ok := origin.Parse(strings.TrimSpace(part))
		if !ok {
			return false
		}
		s.CORSOrigins = append(s.CORSOrigins, canonical)
	}
	return true
}
