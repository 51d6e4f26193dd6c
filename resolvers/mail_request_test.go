package resolvers

import (
	"context"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// With MailOff a request for a mail gets FEATURE_DISABLED, and no mail is queued.
func TestMailOff(t *testing.T) {
	t.Parallel()
	master, err := secret.New([]byte("Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"))
	if err != nil {
		t.Fatal(err)
	}
	r := &resolver{
		Deps:     Deps{DB: dbtest.Open(t, dbtest.SQLite(t)), Master: master, MailOff: true, Now: time.Now},
		refusals: limit.NewSample(),
	}
	email := "ada@example.com"
	for name, ask := range map[string]func(context.Context) (*graph.BasicPayload, error){
		"reset": func(ctx context.Context) (*graph.BasicPayload, error) {
			return r.RequestPasswordReset(ctx, graph.RequestPasswordResetInput{Email: email})
		},
		"magic link": func(ctx context.Context) (*graph.BasicPayload, error) {
			return r.RequestMagicLink(ctx, graph.RequestMagicLinkInput{Email: email})
		},
		"verification": func(ctx context.Context) (*graph.BasicPayload, error) {
			return r.SendVerificationEmail(ctx, &graph.SendVerificationEmailInput{Email: graphql.OmittableOf(&email)})
		},
	} {
		got, err := ask(t.Context())
		if err != nil || len(got.UserErrors) != 1 || got.UserErrors[0].Code != graph.ErrorCodeFeatureDisabled {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if queued, err := r.DB.QueuedMails(t.Context(), time.Now()); err != nil || len(queued) != 0 {
		t.Errorf("%v %v", queued, err)
	}
}
