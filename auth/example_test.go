package auth_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"latchkey/auth"
	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// issuer stands for a Latchkey: it signs access tokens and publishes its keys.
type issuer struct {
	ring  *keys.Ring
	codec *token.Codec
}

func newIssuer() issuer {
	key, err := keys.Generate("ES256", rand.Reader)
	if err != nil {
		panic(err)
	}
	ring, err := keys.NewRing(key)
	if err != nil {
		panic(err)
	}
	return issuer{ring, token.New(token.Options{Now: time.Now})}
}

func (i issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(i.ring.JWKS()) }

func (i issuer) access(userID string, roles ...string) string {
	raw, err := i.codec.Sign(token.Claims{
		Kind: token.Access, ID: strings.Repeat("0", 32), UserID: userID, SessionID: strings.Repeat("1", 32),
		Roles: roles, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute),
	}, i.ring.Signing())
	if err != nil {
		panic(err)
	}
	return raw
}

// A plain net/http handler of another program, guarded with the keys that a Latchkey publishes.
func ExampleMiddleware() {
	latchkey := newIssuer()
	published := httptest.NewServer(latchkey)
	defer published.Close()

	remote := keys.NewRemote(keys.RemoteOptions{URL: published.URL}) // …/.well-known/jwks.json
	verifier, err := auth.NewVerifier(token.New(token.Options{Now: time.Now}), remote.Lookup)
	if err != nil {
		panic(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := auth.CallerFrom(r.Context())
		if err != nil {
			panic(err) // RequireCaller lets nobody else through
		}
		_, _ = fmt.Fprintf(w, "hello, user %s\n", caller.UserID)
	})
	handler := auth.Middleware(verifier)(auth.RequireCaller(hello))

	for _, authorization := range []string{"", "Bearer " + latchkey.access("7")} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set("Authorization", authorization)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Print(answer.Code, " ", answer.Body)
	}
	// Output:
	// 401 {"code":"UNAUTHENTICATED","message":"Authentication credentials were not provided."}
	// 200 hello, user 7
}

// A resolver of another program's gqlgen server, guarded by a directive of its own. The function is what gqlgen asks
// for: put it into the generated DirectiveRoot, and Middleware around the server. The folder examples/orders is such a
// program, whole.
func ExampleCallerFrom() {
	guard := func(ctx context.Context, _ any, next graphql.Resolver, role string) (any, error) {
		caller, err := auth.CallerFrom(ctx)
		if err != nil {
			return nil, err
		}
		if !caller.HasRole(role) {
			return nil, fmt.Errorf("only for the role %s", role)
		}
		return next(ctx)
	}
	resolver := func(context.Context) (any, error) { return []string{"tea", "coffee"}, nil }

	latchkey := newIssuer()
	verifier, err := auth.NewVerifier(latchkey.codec, latchkey.ring.Lookup)
	if err != nil {
		panic(err)
	}
	server := auth.Middleware(verifier)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(guard(r.Context(), nil, resolver, "manager"))
	}))
	for _, authorization := range []string{
		"", "Bearer junk", "Bearer " + latchkey.access("7"), "Bearer " + latchkey.access("7", "manager"),
	} {
		request := httptest.NewRequest(http.MethodPost, "/graphql", nil)
		request.Header.Set("Authorization", authorization)
		server.ServeHTTP(httptest.NewRecorder(), request)
	}
	// Output:
	// <nil> Authentication credentials were not provided.
	// <nil> Given token not valid for any token type
	// <nil> only for the role manager
	// [tea coffee] <nil>
}
