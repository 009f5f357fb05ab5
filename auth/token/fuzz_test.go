package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"latchkey/auth/token"
)

// FuzzParse looks for a text that is accepted though it was not signed: any text at all, and a good token with a piece
// of it replaced. (ECDSA lets everybody write a second signature, which chance does not find.)
func FuzzParse(f *testing.F) {
	var by []issuer
	for _, algorithm := range []string{"ES256", "EdDSA", "HS256"} {
		by = append(by, newIssuer(f, algorithm))
	}
	es, forger := by[0], newIssuer(f, "ES256")
	forger.ID = es.ID
	for _, raw := range []string{
		"", "..", "a.b.c", forger.token(),
		`{"protected":"","payload":"","signature":""}`,
		es.sign(`{"alg":"none"}`, payload), es.sign(es.header(), `{}`), es.sign(`{"crit":["x"]}`, payload),
	} {
		f.Add(raw, uint(0), uint(0))
	}
	for _, piece := range []string{"", ".", "=", "\n", "A", "%2E", "\x00", " "} {
		f.Add(piece, uint(0), uint(0))
		f.Add(piece, uint(40), uint(1))
		f.Add(piece, uint(1<<20), uint(2))
	}
	c := codec(token.Options{})
	f.Fuzz(func(t *testing.T, piece string, at, cut uint) {
		for _, i := range by {
			if claims, err := c.Parse(t.Context(), piece, i.lookup); err == nil {
				t.Errorf("%s: accepted %q, as %+v", i.Algorithm, piece, claims)
			}
			good := i.token()
			start := at % uint(len(good)+1)
			end := start + cut%uint(len(good)+1-int(start))
			raw := good[:start] + piece + good[end:]
			_, err := c.Parse(t.Context(), raw, i.lookup)
			if accepted, same := err == nil, raw == good; accepted != same {
				t.Errorf("%s: %q for %q: accepted %v, the same text %v (%v)", i.Algorithm, raw, good, accepted, same, err)
			}
			if err != nil {
				refusalIn(t, err)
			}
		}
	})
}

// FuzzPayload compares what is read of a signed payload with what encoding/json reads.
func FuzzPayload(f *testing.F) {
	by := secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	f.Add(payload)
	f.Add(strings.ReplaceAll(payload, "e", `\u0065`))
	f.Add(edit(payload, `"editor"`, `"\ud83d\ude00", "]", "\\\""`))
	f.Add(edit(payload, `"epoch"`, `"x":[{"y":"}"}, -1.5e+3 ,null,true],"epoch"`))
	f.Add(edit(payload, `1700000300`, `1700000300.5`))
	f.Add(`null`)
	c := codec(token.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		got, err := c.Parse(t.Context(), by.sign(by.header(), text), by.lookup)
		if err != nil {
			refusalIn(t, err)
			return
		}
		var want struct {
			Kind      token.Kind `json:"token_type"`
			ID        string     `json:"jti"`
			SessionID string     `json:"sid"`
			Epoch     int64      `json:"epoch"`
			Roles     []string   `json:"roles"`
			Expires   float64    `json:"exp"`
		}
		var names map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		for name := range names { // encoding/json folds case, which is the other thing it does not do right here
			if own := strings.ToLower(name); own != name && names[own] != nil || strings.ContainsAny(name, "\u017f\u212a") {
				return
			}
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("accepted %q: %v", text, err)
		}
		if got.Kind != want.Kind || got.ID != want.ID || got.SessionID != want.SessionID || got.Epoch != want.Epoch ||
			strings.Join(got.Roles, "\x00") != strings.Join(want.Roles, "\x00") ||
			!got.ExpiresAt.Equal(time.Unix(int64(want.Expires), 0)) {
			t.Errorf("of %q: got %+v, want %+v", text, got, want)
		}
	})
}

// refusalIn is refusalOf for its check alone.
func refusalIn(t *testing.T, err error) {
	t.Helper()
	if refusalOf(t, err).message == "" {
		t.Errorf("a refusal without a message: %v", err)
	}
}
