package browser

import (
	"os"
	"runtime"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// A browser keeps a core busy: more of them at a time than there are cores only make each other late.
func TestMain(m *testing.M) {
	webtest.Screenshots = os.Getenv("DRAGOMAN_SCREENSHOTS")
	harness.MainAtOnce(m, runtime.GOMAXPROCS(0), webtest.Close)
}
