package clients

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestClients_Current drives the newest major version of each client that docs/frontend.md names, from npm: it signs
// in, and when the access token has ended it refreshes once by its own means and repeats three queries. What codegen,
// gql.tada and Relay make of the schema has a type for each scalar. A backend checks the token by jose.
func TestClients_Current(t *testing.T) {
	t.Parallel()
	everyClient(t, "current", "apollo4", `, "docs/examples/fetch/src/main.ts", "docs/examples/apollo/src/main.tsx", `+
		`"docs/examples/urql/src/main.tsx"`)
}

// TestClients_Previous is TestClients_Current for the major version before. Its install takes long, so it belongs to
// the full experiments.
func TestClients_Previous(t *testing.T) {
	t.Parallel()
	if harness.FullRun {
		everyClient(t, "previous", "apollo3", "")
	}
}

func everyClient(t *testing.T, versions, apollo, checked string) {
	t.Helper()
	s := harness.Start(t, dbtest.SQLite(t), short)
	g := newGate(t, s)
	s.Register(t, "ada@example.com")
	root := workspace(t)
	if err := os.Symlink(installed(t, "tests/clients/"+versions), filepath.Join(root, "node_modules")); err != nil {
		t.Fatal(err)
	}
	clients := filepath.Join(root, "docs/examples/clients")
	_, schema := harness.Fetched(t, http.MethodGet, s.URL+"/docs/schema.graphql", "", "")
	written := map[string]string{
		filepath.Join(clients, "relay/schema.graphql"):   schema,
		filepath.Join(clients, "codegen/schema.graphql"): schema,
		filepath.Join(clients, "tada/schema.graphql"):    schema,
		filepath.Join(root, "tsconfig.json"): `{ "compilerOptions": {
			"strict": true, "target": "es2022", "lib": ["es2023", "dom", "dom.iterable"], "module": "esnext",
			"moduleResolution": "bundler", "allowImportingTsExtensions": true, "allowJs": true, "skipLibCheck": true,
			"noEmit": true, "jsx": "react-jsx", "types": ["node"],
			"paths": { "apollo": ["./docs/examples/clients/` + apollo + `.ts"] }
		}, "files": ["tests/clients/scripts/matrix.ts", "tests/clients/scripts/types.ts"` + checked + `] }`,
	}
	for _, of := range []struct{ file, server string }{{"auth.ts", g.URL}, {"jose.mjs", s.URL}} {
		file := filepath.Join(clients, of.file)
		text, err := os.ReadFile(file)
		const standard = "http://localhost:8080"
		if err != nil || !strings.Contains(string(text), standard) {
			t.Fatalf("%s does not name its server: %v", of.file, err)
		}
		written[file] = strings.Replace(string(text), standard, of.server, 1)
	}
	for file, text := range written {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(root, "node_modules/.bin") + "/"
	run(t, filepath.Join(clients, "relay"), bin+"relay-compiler")
	run(t, filepath.Join(clients, "codegen"), bin+"graphql-codegen --config codegen.ts")
	run(t, filepath.Join(clients, "tada"), bin+"gql.tada generate-output")
	run(t, root, bin+"tsc -p tsconfig.json")
	run(t, root, bin+"esbuild tests/clients/scripts/matrix.ts --bundle --platform=node --format=esm --jsx=automatic "+
		"--inject:tests/clients/scripts/storage.ts --outfile=matrix.mjs --log-level=warning "+
		"--banner:js=import{createRequire}from'node:module';const/**/require=createRequire(import.meta.url);")
	if out := run(t, root, "node matrix.mjs "+g.URL, "PASSWORD="+harness.GoodPass); !strings.HasSuffix(out, "done\n") {
		t.Error(out)
	}
}
