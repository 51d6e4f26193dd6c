package rest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/itchyny/gojq"
)

// HT-15: a panic on the way to an answer is a 500 in the dialect's own form, logged once.
func TestHT15_Panic(t *testing.T) {
	t.Parallel()
	d := mustParse(t, strings.Replace(shelf, "routes:\n", "routes:\n  - {route: GET /boom, body: =1}\n", 1))
	query, err := gojq.Parse("boom")
	if err != nil {
		t.Fatal(err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$request"}),
		gojq.WithFunction("boom", 0, 0, func(any, []any) any { panic("boom") }))
	if err != nil {
		t.Fatal(err)
	}
	d.routes[0].answer.body.expr.code = code
	e, err := engine(d)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e.log = slog.New(slog.NewTextHandler(&log, nil))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/shelf/boom", nil))
	if w.Code != http.StatusInternalServerError || w.Body.String() != `{"error":"Something went wrong on our side."}`+
		"\n" ||
		strings.Count(log.String(), "panic: boom") != 1 ||
		strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "route=/boom") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, log.String())
	}
	w = httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/shelf/nowhere", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("afterwards: %d", w.Code)
	}
}
