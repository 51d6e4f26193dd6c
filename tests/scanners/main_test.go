package scanners

import (
	"runtime"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// A browser keeps a core busy: more of them at a time than there are cores only make each other late.
func TestMain(m *testing.M) { harness.MainAtOnce(m, runtime.GOMAXPROCS(0), webtest.Close) }
