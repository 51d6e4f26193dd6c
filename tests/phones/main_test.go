package phones

import (
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
