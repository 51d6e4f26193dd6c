package operator

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/config"
)

// healthWithin is how long a server may take to say whether it is ready.
const healthWithin = 5 * time.Second

// Health is `dragoman health`, for images without a shell: it asks the server of these settings, or the one at url, for
// /readyz, and fails unless that answers 200.
func Health(ctx context.Context, settings *config.Settings, stdout io.Writer, url string) error {
	local := *settings
	local.PublicURL = "" // which may lead through a proxy, to another instance
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(
		ctx, http.MethodGet, strings.TrimSuffix(cmp.Or(url, local.URL()), "/")+"/readyz", nil,
	)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(
		r,
	) // no proxy on the way to oneself
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read as far as it matters
	text, err := io.ReadAll(io.LimitReader(res.Body, 256))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	_, err = stdout.Write(text)
	return err
}
