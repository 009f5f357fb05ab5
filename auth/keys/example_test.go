package keys_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// A service that is handed access tokens verifies them with the keys that the server publishes.
func ExampleRemote() {
	signing := must(keys.Generate("ES256", rand.Reader))
	ring := must(keys.NewRing(signing))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ring.JWKS()) }))
	defer server.Close()

	codec := token.New(token.Options{Audience: "shop", Now: time.Now})
	access := must(codec.Sign(token.Claims{
		Kind: token.Access, ID: "1", UserID: "42", SessionID: "2", Roles: []string{"editor"},
		IssuedAt: time.Now(), ExpiresAt: time.Now().Add(5 * time.Minute),
	}, ring.Signing()))

	remote := keys.NewRemote(keys.RemoteOptions{URL: server.URL + "/.well-known/jwks.json"})
	claims, err := codec.ParseKind(context.Background(), access, remote.Lookup, token.Access)
	fmt.Println(claims.UserID, claims.Roles, err)
	// Output: 42 [editor] <nil>
}
