// Orders is a service of its own that takes Latchkey's tokens. It verifies them with the public keys that Latchkey
// publishes: no shared secret, and no question to Latchkey for a request.
//
//	go run . http://127.0.0.1:8000
//	curl -s http://127.0.0.1:8001/graphql -H 'Content-Type: application/json' \
//	  -H "Authorization: Bearer $ACCESS" -d '{"query":"{ count mine }"}'
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"latchkey/auth"
	"latchkey/auth/keys"
	"latchkey/auth/token"

	"example.org/orders/graph"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: orders LATCHKEY_URL")
	}
	handler, err := newHandler(os.Args[1], time.Now)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8001", Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	log.Print("listening on ", server.Addr)
	log.Fatal(server.ListenAndServe())
}

// newHandler returns the whole service: its GraphQL endpoint and one plain handler, both behind the middleware.
func newHandler(latchkey string, now func() time.Time) (http.Handler, error) {
	published := keys.NewRemote(keys.RemoteOptions{URL: latchkey + "/.well-known/jwks.json", Now: now})
	verifier, err := auth.NewVerifier(token.New(token.Options{Now: now}), published.Lookup)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/graphql", graph.NewServer(&graph.Resolver{Orders: [][2]string{{"1", "tea"}, {"2", "coffee"}}}))
	mux.Handle("/whoami", auth.RequireCaller(http.HandlerFunc(whoAmI)))
	return auth.Middleware(verifier)(mux), nil
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	caller, err := auth.CallerFrom(r.Context())
	if err != nil { // RequireCaller lets nobody else through
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, "user %s\n", caller.UserID)
}
