package playground

import (
	"os"
	"testing"

	"github.com/dragoman-auth/dragoman/web/webtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	webtest.Close()
	os.Exit(code)
}
