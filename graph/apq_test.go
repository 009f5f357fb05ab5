package graph_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/auth"
	"latchkey/graph"
	"latchkey/graph/model"
)

const notFound = "PERSISTED_QUERY_NOT_FOUND"

func hashOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// persisted returns a body with a hash, and with the document unless it is empty.
func persisted(document, hash string) string {
	body := fmt.Sprintf(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":%q}}`, hash)
	if document != "" {
		body += fmt.Sprintf(`,"query":%q`, document)
	}
	return body + "}"
}

func TestADocumentCanBeAskedForByItsHashOnceItWasSent(t *testing.T) {
	const document = "{ ping }"
	h, s := toyHandler(t)

	for accept, want := range map[string]int{"application/json": http.StatusOK, "application/graphql-response+json": http.StatusBadRequest} {
		got := post(t, h, persisted("", hashOf(document)), "Accept", accept)
		if got.status != want || got.code() != notFound || got.message() != "PersistedQueryNotFound" || got.hasData() {
			t.Errorf("before, %s: got %d %s", accept, got.status, got.body)
		}
	}
	if got := post(t, h, persisted(document, hashOf(document))); got.code() != "" || len(s.ran) != 1 {
		t.Fatalf("with the document: got %s", got.body)
	}
	if got := post(t, h, persisted("", hashOf(document))); got.code() != "" || s.ran[1].RawQuery != document {
		t.Errorf("by hash: got %s", got.body)
	}
	if got := post(t, h, persisted("", strings.ToUpper(hashOf(document)))); got.code() != "" {
		t.Errorf("by hash in capitals: got %s", got.body)
	}
	get := newGet(url.Values{"extensions": {fmt.Sprintf(`{"persistedQuery":{"version":1,"sha256Hash":%q}}`, hashOf(document))}})
	if got := do(t, h, get); got.code() != "" || len(s.ran) != 4 {
		t.Errorf("by GET: got %s", got.body)
	}
}

func TestAMutationByHashCannotComeByGET(t *testing.T) {
	const document = "mutation { ping }"
	h, s := toyHandler(t)
	post(t, h, persisted(document, hashOf(document)))
	get := newGet(url.Values{"extensions": {fmt.Sprintf(`{"persistedQuery":{"version":1,"sha256Hash":%q}}`, hashOf(document))}})
	if got := do(t, h, get); got.status != http.StatusMethodNotAllowed || len(s.ran) != 1 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestADocumentThatIsSentWithoutItsHashIsNotFoundByIt(t *testing.T) {
	h, _ := toyHandler(t)
	post(t, h, `{"query":"{ ping }"}`)
	if got := post(t, h, persisted("", hashOf("{ ping }"))); got.code() != notFound {
		t.Errorf("got %s", got.body)
	}
}

func TestADocumentIsNotKeptUnderAnotherHash(t *testing.T) {
	h, s := toyHandler(t)
	got := post(t, h, persisted("{ ping }", hashOf("{ user { id } }")))
	if got.code() != validationFailed || len(s.ran) > 0 {
		t.Errorf("got %s", got.body)
	}
	if got := post(t, h, persisted("", hashOf("{ user { id } }"))); got.code() != notFound {
		t.Errorf("afterwards: got %s", got.body)
	}
}

func TestADocumentThatIsRefusedIsNotKept(t *testing.T) {
	for name, document := range map[string]string{
		"a syntax error": "{", "an unknown field": "{ pong }", "over a limit": "{" + strings.Repeat("ping ", 30) + "}",
	} {
		h, _ := toyHandler(t)
		if got := post(t, h, persisted(document, hashOf(document))); got.code() == "" {
			t.Errorf("%s: got %s", name, got.body)
		}
		if got := post(t, h, persisted("", hashOf(document))); got.code() != notFound {
			t.Errorf("%s, by hash: got %s", name, got.body)
		}
	}
}

// TestAFloodOfDocumentsLeavesThoseOfClients has a client that signs in, one that is signed in, and one of which nothing is known but
// that it comes again; and a stranger with forty times as many documents as there is room for.
func TestAFloodOfDocumentsLeavesThoseOfClients(t *testing.T) {
	const signIn, me, often = `mutation { tokenObtain(username: "a", password: "b") { accessExpiresIn } }`, "{ protected }", "{ x: __typename }"
	good := func(ctx context.Context, _, _ string) (*model.TokenPair, error) {
		graph.Vouch(ctx) // as delivery does
		return &model.TokenPair{AccessExpiresIn: 1}, nil
	}
	h := graph.NewHandler(graph.Options{Schema: newSchema(stubs{tokenObtain: good}), Limits: graph.Limits{Cache: 200_000}})
	signedIn := func(body string) reply {
		r := newPost(body)
		return do(t, h, r.WithContext(auth.WithCaller(r.Context(), &auth.Caller{UserID: "1"})))
	}
	post(t, h, persisted(signIn, hashOf(signIn)))
	signedIn(persisted(me, hashOf(me)))
	for range 2 {
		post(t, h, persisted(often, hashOf(often)))
	}
	const documents = 2_000
	for i := range documents {
		document := fmt.Sprintf("{ a%d: __typename }", i)
		if got := post(t, h, persisted(document, hashOf(document))); got.code() != "" {
			t.Fatal(got.body)
		}
	}
	for name, document := range map[string]string{"of who signs in": signIn, "of who is signed in": me, "of who came again": often} {
		if got := post(t, h, persisted("", hashOf(document))); got.code() != "" {
			t.Errorf("the document %s: got %s", name, got.body)
		}
	}
	first, last := "{ a0: __typename }", fmt.Sprintf("{ a%d: __typename }", documents-1)
	if got := post(t, h, persisted("", hashOf(first))); got.code() != notFound {
		t.Errorf("the stranger's first: got %s", got.body)
	}
	if got := post(t, h, persisted("", hashOf(last))); got.code() != "" {
		t.Errorf("the stranger's last: got %s", got.body)
	}
	// Nor can the stranger by asking for each again.
	for i := range 400 {
		document := fmt.Sprintf("{ b%d: __typename }", i)
		for range 3 {
			post(t, h, persisted(document, hashOf(document)))
		}
	}
	for name, document := range map[string]string{"of who signs in": signIn, "of who is signed in": me} {
		if got := post(t, h, persisted("", hashOf(document))); got.code() != "" {
			t.Errorf("afterwards, the document %s: got %s", name, got.body)
		}
	}
}

func TestAPersistedQueryThatIsNotWellFormedIsRefused(t *testing.T) {
	hash := hashOf("{ ping }")
	for _, extension := range []string{
		`1`, `"x"`, `[]`, `{}`, `{"version":1}`, `{"sha256Hash":"` + hash + `"}`, `{"version":2,"sha256Hash":"` + hash + `"}`,
		`{"version":"1","sha256Hash":"` + hash + `"}`, `{"version":1,"sha256Hash":1}`, `{"version":1,"sha256Hash":"` + hash[1:] + `"}`,
		`{"version":1,"sha256Hash":"` + hash + `00"}`, `{"version":1,"sha256Hash":"g` + hash[1:] + `"}`,
	} {
		h, s := toyHandler(t)
		got := post(t, h, `{"query":"{ ping }","extensions":{"persistedQuery":`+extension+`}}`)
		if got.status != http.StatusBadRequest || got.code() != validationFailed || len(s.ran) > 0 {
			t.Errorf("%s: got %d %s", extension, got.status, got.body)
		}
	}
}

// TestAHashIsForgottenWithItsDocument also shows that clients get over it.
func TestAHashIsForgottenWithItsDocument(t *testing.T) {
	s := newToy(t)
	h := graph.NewHandler(graph.Options{Schema: s, Limits: graph.Limits{Cache: 20_000}})
	first := "{ first: ping }"
	post(t, h, persisted(first, hashOf(first)))
	for i := range 100 {
		document := fmt.Sprintf("{ a%d: ping }", i)
		post(t, h, persisted(document, hashOf(document)))
	}
	if got := post(t, h, persisted("", hashOf(first))); got.code() != notFound {
		t.Errorf("got %s, want it gone", got.body)
	}
	if got := post(t, h, persisted("", hashOf("{ a99: ping }"))); got.code() != "" {
		t.Errorf("the last: got %s", got.body)
	}
	if got := post(t, h, persisted(first, hashOf(first))); got.code() != "" {
		t.Errorf("sent again: got %s", got.body)
	}
}
