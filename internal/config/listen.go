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
	"path/filepath"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/origin"
)

// Loopback tells whether nobody but this machine can reach the server: every listener is a loopback address, and no
// public URL says that a proxy on this machine lets others in.
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

// URL is the address under which callers reach the server, without a trailing slash. It comes from the settings and
// never from a request (HT-14).
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

// HTTPS tells whether callers come over TLS, which a proxy ends.
func (s *Settings) HTTPS() bool { return strings.HasPrefix(s.URL(), "https://") }

// Origins is which web pages of other origins may use the server.
func (s *Settings) Origins() *origin.Policy {
	return origin.New(s.URL(), s.CORSOrigins, s.CORSOrigins == nil && s.Loopback())
}

// DSN is the database: the Postgres that is set, else the file in the data directory, which it makes (0700).
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
	// A file that was there before may be open to others.
	return "sqlite:" + path, errors.Join(f.Chmod(0o600), f.Close())
}

// ExistingDSN is DSN without making anything: an error when there is no file.
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

// Open opens every address to listen on, unless something has to be said before: where mails go, and which dialects are
// served. localhost means
// both address families; a machine may lack one of them. Port 0 is any free port, and stands as such in s afterwards.
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
				"DRAGOMAN_LISTEN: %w; stop what listens there, or choose another address, such as localhost:8081", err,
			)
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

// noIPv6 tells a machine without IPv6 from an address that is in use.
func noIPv6(err error) bool {
	text := err.Error()
	return strings.Contains(text, "cannot assign requested address") || strings.Contains(text, "not supported")
}
