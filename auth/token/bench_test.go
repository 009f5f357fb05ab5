package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"latchkey/auth/keys"
	"latchkey/auth/token"
)

// BenchmarkParse is to be held against BenchmarkSignatureAlone.
func BenchmarkParse(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256", "HS256"} {
		b.Run(algorithm, func(b *testing.B) {
			by := benchmarkIssuer(b, algorithm)
			c, ctx := codec(token.Options{}), context.Background()
			raw, err := c.Sign(said(), by.Key)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Parse(ctx, raw, by.lookup); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignatureAlone is what the standard library needs for the signature of the same token.
func BenchmarkSignatureAlone(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256", "HS256"} {
		b.Run(algorithm, func(b *testing.B) {
			by := benchmarkIssuer(b, algorithm)
			signed, encoded := cutSignature(by.token())
			signature := unb64(encoded)
			b.ReportAllocs()
			for b.Loop() {
				if !holds(by.Public, []byte(signed), signature) {
					b.Fatal("the signature does not hold")
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256", "HS256"} {
		b.Run(algorithm, func(b *testing.B) {
			by := benchmarkIssuer(b, algorithm)
			c, claims := codec(token.Options{}), said()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Sign(claims, by.Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	by := benchmarkIssuer(b, "ES256")
	for name, raw := range junk(by) {
		b.Run(name, func(b *testing.B) {
			c, ctx := codec(token.Options{}), context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Parse(ctx, raw, by.lookup); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// junk is what costs a careless reader much, none of it signed.
func junk(by issuer) map[string]string {
	behind := func(header string) string { return b64(header) + "." + b64(payload) + "." + strings.Repeat("A", 86) }
	return map[string]string{
		"a megabyte of dots":             strings.Repeat(".", 1<<20),
		"sixteen kilobytes of a letter":  strings.Repeat("a", 16<<10),
		"sixteen kilobytes of dots":      strings.Repeat(".", 16<<10),
		"a header of arrays":             behind(`{"x":` + strings.Repeat("[", 12000)),
		"a short header of arrays":       behind(`{"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`),
		"a header of names":              behind(`{` + strings.Repeat(`"a":1,`, 2000) + `"b":1}`),
		"a payload of sixteen kilobytes": b64(by.header()) + "." + strings.Repeat("A", 16000) + ".*",
		"a kid nobody knows":             behind(`{"alg":"ES256","kid":"nobody"}`),
	}
}

func TestRefusingJunkTakesNoMemory(t *testing.T) {
	by := newIssuer(t, "ES256")
	c, ctx := codec(token.Options{}), t.Context()
	for name, raw := range junk(by) {
		t.Run(name, func(t *testing.T) {
			const times = 10
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range times {
				if _, err := c.Parse(ctx, raw, by.lookup); err == nil {
					t.Fatal("accepted")
				}
			}
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / times; got > 16<<10 {
				t.Errorf("%d bytes are allocated", got)
			}
		})
	}
}

func benchmarkIssuer(b *testing.B, algorithm string) issuer {
	k, err := keys.Generate(algorithm, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	return issuer{k}
}

// holds checks a signature with the standard library alone.
func holds(public any, signed, signature []byte) bool {
	digest := sha256.Sum256(signed)
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return ed25519.Verify(public, signed, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case []byte:
		mac := hmac.New(sha256.New, public)
		mac.Write(signed)
		return hmac.Equal(mac.Sum(nil), signature)
	}
	return false
}
