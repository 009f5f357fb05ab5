// Package rest is the HTTP face beside GraphQL: the views of djangorestframework-simplejwt for clients that come from
// there, and what other services read to verify tokens.
package rest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// maxAge lets verifiers keep the keys for some minutes.
const maxAge = "public, max-age=300"

// JWKS answers with the public keys (RFC 7517 section 5).
func JWKS(keys func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", maxAge)
		_, _ = w.Write(keys()) // a client that is gone needs no answer
	})
}

// discovery is the part of OpenID Connect Discovery 1.0 section 3 that says how to verify a token.
type discovery struct {
	Issuer       string   `json:"issuer"`
	JWKSURI      string   `json:"jwks_uri"`
	Algorithms   []string `json:"id_token_signing_alg_values_supported"`
	SubjectTypes []string `json:"subject_types_supported"`
	ResponseType []string `json:"response_types_supported"`
}

// Discovery answers where the keys are and which algorithms sign. The addresses follow from the issuer where that is a
// URL, else from the address that was asked, and then no cache may keep the answer: the Host header is the client's.
func Discovery(issuer string, algorithms func() []string, overTLS func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base, cache := issuer, maxAge
		if u, err := url.Parse(issuer); err != nil || u.Host == "" {
			base, cache = origin(r, overTLS(r)), "no-store"
		}
		d := discovery{
			Issuer: base, JWKSURI: strings.TrimSuffix(base, "/") + "/.well-known/jwks.json",
			Algorithms: algorithms(), SubjectTypes: []string{"public"}, ResponseType: []string{},
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", cache)
		_ = json.NewEncoder(w).Encode(d) // a client that is gone needs no answer
	})
}

func origin(r *http.Request, overTLS bool) string {
	if overTLS {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
