package accessibility

import (
	"runtime"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// A browser keeps a core busy: see tests/browser.
func TestMain(m *testing.M) { harness.MainAtOnce(m, runtime.GOMAXPROCS(0), webtest.Close) }
