package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"latchkey/auth/token"
	"latchkey/fault"
)

// refusal is what a refused token is answered with. The detail is for the log; here it shows that a token is refused
// for what is wrong with it, and not for something else that went wrong in the making.
type refusal struct {
	problem         fault.TokenProblem
	message, detail string
}

func invalid(detail string) refusal {
	return refusal{fault.TokenMalformed, "Token is invalid", detail}
}

var (
	expired   = refusal{fault.TokenExpired, "Token is expired", ""}
	noExpiry  = refusal{fault.TokenMalformed, "Token has no 'exp' claim", ""}
	noID      = refusal{fault.TokenMalformed, "Token has no id", ""}
	noType    = refusal{fault.TokenMalformed, "Token has no type", ""}
	wrongType = refusal{fault.TokenWrongType, "Token has wrong type", ""}
)

// refusalOf returns what err answers; it must be a *token.Error.
func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	e, ok := errors.AsType[*token.Error](err)
	if !ok {
		t.Fatalf("got error %v, want a *token.Error", err)
	}
	detail := strings.TrimPrefix(strings.TrimPrefix(e.Error(), e.Message), ": ")
	return refusal{e.Problem, e.Message, detail}
}

// forged is one forged or odd token.
type forged struct {
	name string
	raw  string
	want refusal
}

// group is tokens meant for a codec with the same options and key.
type group struct {
	name   string
	by     issuer
	o      token.Options
	tokens []forged
}

func TestForgedTokensAreRefused(t *testing.T) {
	es, ed, rs, hs := newIssuer(t, "ES256"), newIssuer(t, "EdDSA"), newIssuer(t, "RS256"), secretIssuer("HS256", []byte("a shared secret of 32 bytes or so"))
	groups := []group{
		{name: "algorithm, ES256", by: es, tokens: algorithmsOfES256(t, es)},
		{name: "algorithm, EdDSA", by: ed, tokens: algorithmsOfEdDSA(ed)},
		{name: "algorithm, RS256", by: rs, tokens: algorithmsOfRS256(t, rs)},
		{name: "algorithm, HS256", by: hs, tokens: algorithmsOfHS256(t, hs)},
		{name: "signature, ES256", by: es, tokens: signaturesOfES256(t, es)},
		{name: "signature, EdDSA", by: ed, tokens: signaturesOfEdDSA(t, ed)},
		{name: "signature, RS256", by: rs, tokens: signaturesOfRS256(t, rs)},
		{name: "signature, HS256", by: hs, tokens: signaturesOfHS256(t, hs)},
		{name: "encoding", by: es, tokens: encodings(es)},
		{name: "header", by: es, tokens: headers(t, es)},
		{name: "times", by: es, tokens: times(es)},
		{name: "identity", by: es, tokens: identities(es)},
		{name: "payload", by: es, tokens: payloads(es)},
		{name: "issuer", by: es, o: token.Options{Issuer: "https://id.example"}, tokens: issuers(es)},
		{name: "audience", by: es, o: token.Options{Audience: "shop"}, tokens: audiences(es)},
	}
	for _, g := range groups {
		c := codec(g.o)
		for _, f := range g.tokens {
			t.Run(g.name+"/"+f.name, func(t *testing.T) {
				claims, err := c.Parse(t.Context(), f.raw, g.by.lookup)
				if err == nil {
					t.Fatalf("accepted, as %+v", claims)
				}
				if diff := cmp.Diff(f.want, refusalOf(t, err), cmp.AllowUnexported(refusal{})); diff != "" {
					t.Error("refusal (-want +got):\n", diff)
				}
				if diff := cmp.Diff(token.Claims{}, claims); diff != "" {
					t.Error("claims of a refused token:\n", diff)
				}
			})
		}
	}
}

const otherAlgorithm = "its algorithm is not the key's"

func algorithmsOfES256(t *testing.T, es issuer) []forged {
	public := es.Public.(*ecdsa.PublicKey)
	der := must(x509.MarshalPKIXPublicKey(public))
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	point := must(public.Bytes())
	alg := func(value string) string { return edit(es.header(), `"ES256"`, value) }
	named := func(value string) string { return es.sign(alg(value), payload) }
	hs := func(alg string, secret []byte) string {
		return secretIssuer(alg, secret).sign(edit(es.header(), "ES256", alg), payload)
	}
	es384 := b64(alg(`"ES384"`)) + "." + b64(payload)
	digest384 := sha512.Sum384([]byte(es384))
	r, s, err := ecdsa.Sign(rand.Reader, es.Private.(*ecdsa.PrivateKey), digest384[:])
	if err != nil {
		t.Fatal(err)
	}
	refused := invalid(otherAlgorithm)
	return []forged{
		{"none without a signature", b64(alg(`"none"`)) + "." + b64(payload) + ".", invalid("not base64url")},
		{"none without a signature and its dot", b64(alg(`"none"`)) + "." + b64(payload), invalid("not three segments")},
		{"none with a good signature", named(`"none"`), refused},
		{"None with a good signature", named(`"None"`), refused},
		{"NONE with a good signature", named(`"NONE"`), refused},
		{"nOnE with a good signature", named(`"nOnE"`), refused},
		{"none and a space", named(`"none "`), refused},
		{"none and a NUL", named(`"none\u0000"`), invalid("alg is not an identifier")},
		{"none by escapes", named(`"\u006eone"`), refused},
		{"an empty algorithm", named(`""`), refused},
		{"no algorithm", es.sign(edit(es.header(), `"alg":"ES256",`, ""), payload), refused},
		{"algorithm null", named(`null`), invalid("alg is not a string")},
		{"algorithm 0", named(`0`), invalid("alg is not a string")},
		{"algorithm true", named(`true`), invalid("alg is not a string")},
		{"algorithm in an array", named(`["ES256"]`), invalid("alg is not a string")},
		{"algorithm in an object", named(`{"alg":"ES256"}`), invalid("alg is not a string")},
		{"lower case", named(`"es256"`), refused},
		{"a space after the algorithm", named(`"ES256 "`), refused},
		{"a space before the algorithm", named(`" ES256"`), refused},
		{"a line break after the algorithm", named(`"ES256\n"`), invalid("alg is not an identifier")},
		{"full-width letters", named(`"ＥＳ256"`), refused},
		{"two algorithms", named(`"ES256,none"`), refused},
		{"an algorithm beyond all bounds", named(`"` + strings.Repeat("E", 300) + `"`), invalid("alg is not an identifier")},
		{"HS256 with the public key's PEM", hs("HS256", text), refused},
		{"HS384 with the public key's PEM", hs("HS384", text), refused},
		{"HS512 with the public key's PEM", hs("HS512", text), refused},
		{"HS256 with the public key's PEM without the last line break", hs("HS256", bytes.TrimSpace(text)), refused},
		{"HS256 with the public key's PEM with CR LF", hs("HS256", bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))), refused},
		{"HS256 with the public key's DER", hs("HS256", der), refused},
		{"HS256 with the public key's DER in base64", hs("HS256", []byte(base64.StdEncoding.EncodeToString(der))), refused},
		{"HS256 with the public key's JWK", hs("HS256", must(jose.JSONWebKey{Key: public}.MarshalJSON())), refused},
		{"HS256 with the public key's JWK as it is published", hs("HS256", must(jose.JSONWebKey{Key: public, KeyID: es.ID, Algorithm: "ES256", Use: "sig"}.MarshalJSON())), refused},
		{"HS256 with the public key's point", hs("HS256", point), refused},
		{"HS256 with the public key's x", hs("HS256", point[1:33]), refused},
		{"HS256 with the kid", hs("HS256", []byte(es.ID)), refused},
		{"HS256 with an empty secret", hs("HS256", nil), refused},
		{"ES384 on the same key", es384 + "." + b64(string(rs(r, s))), refused},
		{"ES256K", named(`"ES256K"`), refused},
		{"RS256", named(`"RS256"`), refused},
		{"EdDSA", named(`"EdDSA"`), refused},
		{"a name without a meaning", named(`"XX256"`), refused},
		{"the name of an encryption", named(`"RSA-OAEP"`), refused},
		{"the name of the direct use of a key", named(`"dir"`), refused},
	}
}

func algorithmsOfEdDSA(ed issuer) []forged {
	alg := func(name string) string { return edit(ed.header(), "EdDSA", name) }
	refused := invalid(otherAlgorithm)
	return []forged{
		{"none", ed.sign(alg("none"), payload), refused},
		{"HS256 with the public key", secretIssuer("HS256", ed.Public.(ed25519.PublicKey)).sign(alg("HS256"), payload), refused},
		{"lower case", ed.sign(alg("eddsa"), payload), refused},
		{"upper case", ed.sign(alg("EDDSA"), payload), refused},
		{"the curve for the algorithm", ed.sign(alg("Ed25519"), payload), refused},
		{"ES256", ed.sign(alg("ES256"), payload), refused},
	}
}

func algorithmsOfRS256(t *testing.T, rs issuer) []forged {
	private := rs.Private.(*rsa.PrivateKey)
	public := &private.PublicKey
	pkix := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(public))})
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)})
	alg := func(name string) string { return edit(rs.header(), "RS256", name) }
	hs := func(secret []byte) string { return secretIssuer("HS256", secret).sign(alg("HS256"), payload) }
	signed := b64(alg("PS256")) + "." + b64(payload)
	refused := invalid(otherAlgorithm)
	return []forged{
		{"none", rs.sign(alg("none"), payload), refused},
		{"HS256 with the public key's PEM", hs(pkix), refused},
		{"HS256 with the public key's PKCS #1 PEM", hs(pkcs1), refused},
		{"HS256 with the public key's DER", hs(x509.MarshalPKCS1PublicKey(public)), refused},
		{"HS256 with the modulus", hs(public.N.Bytes()), refused},
		{"HS256 with the public key's JWK", hs(must(jose.JSONWebKey{Key: public}.MarshalJSON())), refused},
		{"PS256 on the same key", signed + "." + b64(string(pss(t, private, signed))), refused},
		{"RS384", rs.sign(alg("RS384"), payload), refused},
		{"RS512", rs.sign(alg("RS512"), payload), refused},
		{"RSA1_5", rs.sign(alg("RSA1_5"), payload), refused},
		{"lower case", rs.sign(alg("rs256"), payload), refused},
	}
}

func algorithmsOfHS256(t *testing.T, hs issuer) []forged {
	secret := hs.Private.([]byte)
	alg := func(name string) string { return edit(hs.header(), "HS256", name) }
	refused := invalid(otherAlgorithm)
	return []forged{
		{"none", hs.sign(alg("none"), payload), refused},
		{"HS384 with the same secret", secretIssuer("HS384", secret).sign(alg("HS384"), payload), refused},
		{"HS512 with the same secret", secretIssuer("HS512", secret).sign(alg("HS512"), payload), refused},
		{"HS256/64", hs.sign(alg("HS256/64"), payload), refused},
		{"lower case", hs.sign(alg("hs256"), payload), refused},
		{"ES256 by a key of the forger's", newIssuer(t, "ES256").sign(alg("ES256"), payload), refused},
		{"A256KW", hs.sign(alg("A256KW"), payload), refused},
	}
}

// resigned replaces the signature of a good token.
func resigned(by issuer, signature []byte) string {
	return b64(by.header()) + "." + b64(payload) + "." + b64(string(signature))
}

func signaturesOfES256(t *testing.T, es issuer) []forged {
	good := es.token()
	signed, encoded := cutSignature(good)
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	n, one, zero := order(), big.NewInt(1), new(big.Int)
	wide := make([]byte, 66)
	new(big.Int).Add(r, n).FillBytes(wide[:33])
	s.FillBytes(wide[33:])
	digest512 := sha512.Sum512([]byte(signed))
	r512, s512, err := ecdsa.Sign(rand.Reader, es.Private.(*ecdsa.PrivateKey), digest512[:])
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(signed))
	der := must(ecdsa.SignASN1(rand.Reader, es.Private.(*ecdsa.PrivateKey), digest[:]))
	other := newIssuer(t, "ES256")
	other.ID = es.ID
	flip := func(i int, bits byte) []byte {
		b := bytes.Clone(signature)
		b[i] ^= bits
		return b
	}
	refused := invalid("signature: crypto/ecdsa: verification error")
	return []forged{
		{"no signature", signed + ".", invalid("not base64url")},
		{"one byte", resigned(es, []byte{0}), refused},
		{"the last byte cut off", resigned(es, signature[:63]), refused},
		{"half a signature", resigned(es, signature[:32]), refused},
		{"a zero byte appended", resigned(es, append(bytes.Clone(signature), 0)), refused},
		{"a zero byte put before", resigned(es, append([]byte{0}, signature...)), refused},
		{"the signature twice", resigned(es, append(bytes.Clone(signature), signature...)), refused},
		{"ASN.1 DER", resigned(es, der), refused},
		{"hexadecimal", resigned(es, []byte(hex.EncodeToString(signature))), refused},
		{"all bytes zero", resigned(es, make([]byte, 64)), refused},
		{"all bits set", resigned(es, bytes.Repeat([]byte{0xff}, 64)), refused},
		{"r zero", resigned(es, rs(zero, s)), refused},
		{"s zero", resigned(es, rs(r, zero)), refused},
		{"r and s one", resigned(es, rs(one, one)), refused},
		{"r the group's order", resigned(es, rs(n, s)), refused},
		{"s the group's order", resigned(es, rs(r, n)), refused},
		{"r and s the group's order", resigned(es, rs(n, n)), refused},
		{"r one less than the group's order", resigned(es, rs(new(big.Int).Sub(n, one), s)), refused},
		{"r one more than the group's order and s zero", resigned(es, rs(new(big.Int).Add(n, one), zero)), refused},
		{"r negated", resigned(es, rs(new(big.Int).Sub(n, r), s)), refused},
		{"r plus the group's order, in 33 bytes each", resigned(es, wide), refused},
		{"r and s swapped", resigned(es, rs(s, r)), refused},
		{"the first bit flipped", resigned(es, flip(0, 0x80)), refused},
		{"the first bit of s flipped", resigned(es, flip(32, 0x80)), refused},
		{"the last bit flipped", resigned(es, flip(63, 1)), refused},
		{"over a SHA-512 digest", resigned(es, rs(r512, s512)), refused},
		{"by another key under the same kid", other.token(), refused},
		{"of another payload", b64(es.header()) + "." + b64(edit(payload, `"user_id":"1"`, `"user_id":"2"`)) + "." + encoded, refused},
		{"of another header", b64(edit(es.header(), `,"typ":"JWT"`, "")) + "." + b64(payload) + "." + encoded, refused},
		{"of the payload alone", resigned(es, es.signature(b64(payload))), refused},
		{"of the texts before their encoding", resigned(es, es.signature(es.header()+"."+payload)), refused},
		{"of the text with its last dot", resigned(es, es.signature(signed+".")), refused},
		{"by a signature of EdDSA", resigned(es, newIssuer(t, "EdDSA").signature(signed)), refused},
	}
}

func signaturesOfEdDSA(t *testing.T, ed issuer) []forged {
	signed, encoded := cutSignature(ed.token())
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	// L, the order of Ed25519's base point (RFC 8032 section 5.1).
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).SetBytes(reversed(signature[32:]))
	withS := func(s *big.Int) []byte {
		return append(bytes.Clone(signature[:32]), reversed(s.FillBytes(make([]byte, 32)))...)
	}
	identity := append([]byte{1}, make([]byte, 63)...) // R the neutral element, S zero
	digest := sha512.Sum512([]byte(signed))
	prehashed := must(ed.Private.(ed25519.PrivateKey).Sign(nil, digest[:], &ed25519.Options{Hash: crypto.SHA512}))
	other := newIssuer(t, "EdDSA")
	other.ID = ed.ID
	flipped := bytes.Clone(signature)
	flipped[63] |= 0x80
	refused := invalid("signature: ed25519: verification error")
	return []forged{
		{"no signature", signed + ".", invalid("not base64url")},
		{"the last byte cut off", resigned(ed, signature[:63]), refused},
		{"a zero byte appended", resigned(ed, append(bytes.Clone(signature), 0)), refused},
		{"all bytes zero", resigned(ed, make([]byte, 64)), refused},
		{"S the group's order", resigned(ed, withS(order)), refused},
		{"S plus the group's order", resigned(ed, withS(new(big.Int).Add(s, order))), refused},
		{"S with its highest bit set", resigned(ed, flipped), refused},
		{"R neutral and S zero", resigned(ed, identity), refused},
		{"R and S swapped", resigned(ed, append(bytes.Clone(signature[32:]), signature[:32]...)), refused},
		{"of the digest (Ed25519ph)", resigned(ed, prehashed), refused},
		{"by another key under the same kid", other.token(), refused},
		{"of another payload", b64(ed.header()) + "." + b64(edit(payload, `"epoch":3`, `"epoch":4`)) + "." + encoded, refused},
	}
}

func signaturesOfRS256(t *testing.T, rs issuer) []forged {
	private := rs.Private.(*rsa.PrivateKey)
	signed, encoded := cutSignature(rs.token())
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	digest := sha256.Sum256([]byte(signed))
	const size = 256
	// padded signs the block 00, kind, filling, 00, info, digest and trail.
	padded := func(kind byte, filling []byte, info string, trail []byte) []byte {
		block := slices.Concat([]byte{0, kind}, filling, []byte{0}, unhex(info), digest[:], trail)
		return power(private, block)
	}
	fill := func(b byte, rest int) []byte { return bytes.Repeat([]byte{b}, size-3-rest) }
	const info = "3031300d060960864801650304020105000420" // of SHA-256 (RFC 8017 section 9.2, note 1)
	whole := len(info)/2 + sha256.Size
	other := newIssuer(t, "RS256")
	refused := invalid("signature: crypto/rsa: verification error")
	return []forged{
		{"no signature", signed + ".", invalid("not base64url")},
		{"the last byte cut off", resigned(rs, signature[:size-1]), refused},
		{"a zero byte appended", resigned(rs, append(bytes.Clone(signature), 0)), refused},
		{"a zero byte put before", resigned(rs, append([]byte{0}, signature...)), refused},
		{"zero", resigned(rs, make([]byte, size)), refused},
		{"one", resigned(rs, append(make([]byte, size-1), 1)), refused},
		{"one less than the modulus", resigned(rs, new(big.Int).Sub(private.N, big.NewInt(1)).FillBytes(make([]byte, size))), refused},
		{"the modulus", resigned(rs, private.N.FillBytes(make([]byte, size))), refused},
		{"plus the modulus", resigned(rs, new(big.Int).Add(private.N, new(big.Int).SetBytes(signature)).FillBytes(make([]byte, size+1))), refused},
		{"of PSS", resigned(rs, pss(t, private, signed)), refused},
		{"by another key under the same kid", other.token(), refused},
		{"of another payload", b64(rs.header()) + "." + b64(edit(payload, `"epoch":3`, `"epoch":4`)) + "." + encoded, refused},
		{"no filling and garbage behind the digest", resigned(rs, padded(1, nil, info, make([]byte, size-3-whole))), refused},
		{"eight bytes of filling and garbage behind the digest", resigned(rs, padded(1, fill(0xff, size-11), info, make([]byte, size-11-whole))), refused},
		{"a filling that is one byte short", resigned(rs, padded(1, fill(0xff, whole+1), info, []byte{0})), refused},
		{"a filling of zeros", resigned(rs, padded(1, fill(0, whole), info, nil)), refused},
		{"a filling with one other byte", resigned(rs, padded(1, append(fill(0xff, whole+1), 0xfe), info, nil)), refused},
		{"block type 0", resigned(rs, padded(0, fill(0xff, whole), info, nil)), refused},
		{"block type 2", resigned(rs, padded(2, fill(0xff, whole), info, nil)), refused},
		{"the digest without its algorithm", resigned(rs, padded(1, fill(0xff, sha256.Size), "", nil)), refused},
		{"an algorithm without NULL", resigned(rs, padded(1, fill(0xff, whole-2), "302f300b0609608648016503040201"+"0420", nil)), refused},
		{"an algorithm with a parameter for NULL", resigned(rs, padded(1, fill(0xff, whole), "3031300d060960864801650304020104000420", nil)), refused},
		{"a length in the long form", resigned(rs, padded(1, fill(0xff, whole+1), "308131300d060960864801650304020105000420", nil)), refused},
		{"the algorithm of SHA-384", resigned(rs, padded(1, fill(0xff, whole), "3031300d060960864801650304020205000420", nil)), refused},
		{"garbage within the algorithm", resigned(rs, padded(1, fill(0xff, whole+4), "303530110609608648016503040201deadbeef05000420", nil)), refused},
	}
}

func signaturesOfHS256(t *testing.T, hs issuer) []forged {
	signed, encoded := cutSignature(hs.token())
	signature := must(base64.RawURLEncoding.DecodeString(encoded))
	other := secretIssuer("HS256", []byte("another shared secret of 32 bytes"))
	hs512 := secretIssuer("HS512", hs.Private.([]byte)).signature(signed)
	refused := invalid("signature: signature is invalid")
	return []forged{
		{"no signature", signed + ".", invalid("not base64url")},
		{"the first byte alone", resigned(hs, signature[:1]), refused},
		{"half of it", resigned(hs, signature[:16]), refused},
		{"the last byte cut off", resigned(hs, signature[:31]), refused},
		{"a zero byte appended", resigned(hs, append(bytes.Clone(signature), 0)), refused},
		{"all bytes zero", resigned(hs, make([]byte, 32)), refused},
		{"hexadecimal", resigned(hs, []byte(hex.EncodeToString(signature))), refused},
		{"by HS512, cut to the length", resigned(hs, hs512[:32]), refused},
		{"the digest without the secret", resigned(hs, digestOf(signed)), refused},
		{"with another secret", other.token(), refused},
		{"with an empty secret", secretIssuer("HS256", nil).token(), refused},
		{"of another payload", b64(hs.header()) + "." + b64(edit(payload, `"epoch":3`, `"epoch":4`)) + "." + encoded, refused},
	}
}

func encodings(es issuer) []forged {
	// Segments whose length leaves unused bits at their end, and which hold both letters that the alphabets differ in.
	head, body := ragged(edit(es.header(), `,"typ":"JWT"`, `,"x":"???>>>???>>>~~~"`)), ragged(edit(payload, `"epoch":3`, `"epoch":3,"x":"???>>>???>>>~~~"`))
	h, p := b64(head), b64(body)
	good := es.seal(h + "." + p)
	for !strings.ContainsAny(good[len(h)+len(p)+2:], "-_") {
		good = es.seal(h + "." + p)
	}
	_, s := cutSignature(good)
	notBase64 := invalid("not base64url")
	lineBreak := invalid("line break")
	notJSON := invalid("not JSON")
	units := utf16.Encode([]rune(head))
	wide := make([]byte, 0, 2*len(units))
	for _, u := range units {
		wide = append(wide, byte(u), byte(u>>8))
	}
	return []forged{
		{"padding after the header", es.seal(h + "==." + p), notBase64},
		{"padding after the payload", es.seal(h + "." + p + "=="), notBase64},
		{"padding after the signature", good + "==", notBase64},
		{"a single padding character", good + "=", notBase64},
		{"unused bits set in the header", es.seal(unused(h) + "." + p), notBase64},
		{"unused bits set in the payload", es.seal(h + "." + unused(p)), notBase64},
		{"unused bits set in the signature", h + "." + p + "." + unused(s), notBase64},
		{"the standard alphabet in the header", es.seal(standard(h) + "." + p), notBase64},
		{"the standard alphabet in the payload", es.seal(h + "." + standard(p)), notBase64},
		{"the standard alphabet in the signature", h + "." + p + "." + standard(s), notBase64},
		{"a line feed at the end", good + "\n", lineBreak},
		{"a carriage return at the end", good + "\r", lineBreak},
		{"CR LF at the end", good + "\r\n", lineBreak},
		{"a line feed at the start", es.seal("\n" + h + "." + p), lineBreak},
		{"a line feed within the header", es.seal(h[:8] + "\n" + h[8:] + "." + p), lineBreak},
		{"a carriage return within the payload", es.seal(h + "." + p[:64] + "\r" + p[64:]), lineBreak},
		{"a line feed within the signature", h + "." + p + "." + s[:40] + "\n" + s[40:], lineBreak},
		{"a space at the start", es.seal(" " + h + "." + p), notBase64},
		{"a space at the end", good + " ", notBase64},
		{"a tab within the payload", es.seal(h + "." + p[:9] + "\t" + p[9:]), notBase64},
		{"a NUL at the end", good + "\x00", notBase64},
		{"a NUL within the header", es.seal(h[:8] + "\x00" + h[8:] + "." + p), notBase64},
		{"a byte order mark before the text", "\ufeff" + good, notBase64},
		{"a percent-encoded dot", strings.Replace(good, ".", "%2E", 1), invalid("not three segments")},
		{"a percent-encoded letter in the signature", h + "." + p + "." + s[:10] + "%2D" + s[11:], notBase64},
		{"full-width dots", strings.ReplaceAll(good, ".", "．"), invalid("not three segments")},
		{"an ideographic full stop for the last dot", h + "." + p + "。" + s, invalid("not three segments")},
		{"quotes around", `"` + good + `"`, notBase64},
		{"the scheme before", "Bearer " + good, notBase64},
		{"a comma and another token behind", good + "," + good, notBase64},
		{"a space and another token behind", good + " " + good, notBase64},
		{"a tilde behind, as in selective disclosure", good + "~", notBase64},
		{"a fragment behind", good + "#x", notBase64},
		{"an empty text", "", invalid("not three segments")},
		{"one dot", ".", invalid("not three segments")},
		{"two dots", "..", notBase64},
		{"the header alone", h, invalid("not three segments")},
		{"two segments", h + "." + p, invalid("not three segments")},
		{"a dot before", "." + good, notBase64},
		{"a dot behind", good + ".", notBase64},
		{"two dots in a row", h + ".." + p + "." + s, notBase64},
		{"four segments", good + "." + s, notBase64},
		{"five segments, as an encrypted token has", h + ".QUFB.QUFB." + p + "." + s, notBase64},
		{"an empty header under a good signature", es.seal("." + p), notBase64},
		{"an empty payload under a good signature", es.seal(h + "."), notBase64},
		{"a header of one letter", es.seal("e." + p), notBase64},
		{"JSON serialisation, flattened", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, h, p, s), invalid("not three segments")},
		{"JSON serialisation, general", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s), invalid("not three segments")},
		{"JSON serialisation with two dots in it", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q,"x":".."}`, h, p, s), notBase64},
		{"a header encoded twice", es.sign(h, body), notJSON},
		{"a payload encoded twice", es.sign(head, p), notJSON},
		{"a header as it is", es.seal(head + "." + p), notBase64},
		{"a byte order mark in the header", es.sign("\ufeff"+head, body), notJSON},
		{"a byte order mark in the payload", es.sign(head, "\ufeff"+body), notJSON},
		{"a header in UTF-16", es.sign(string(wide), body), notJSON},
		{"a slash in two bytes in the header", es.sign(edit(head, "???>>>???", "\xc0\xaf"), body), notJSON},
		{"a slash in two bytes in the payload", es.sign(head, edit(body, "???>>>???", "\xc0\xaf")), notJSON},
		{"half a surrogate pair in three bytes in the payload", es.sign(head, edit(body, "???>>>???", "\xed\xa0\x80")), notJSON},
		{"a lone byte 0xFF in the payload", es.sign(head, edit(body, "???>>>???", "\xff")), notJSON},
		{"a megabyte of dots", strings.Repeat(".", 1<<20), invalid("too long")},
		{"sixteen kilobytes of a letter", strings.Repeat("a", 16<<10), invalid("not three segments")},
		{"a good token beyond the length", es.sign(head, body+strings.Repeat(" ", 12<<10)), invalid("too long")},
	}
}

func headers(t *testing.T, es issuer) []forged {
	attacker := newIssuer(t, "ES256")
	public := string(must(jose.JSONWebKey{Key: attacker.Public}.MarshalJSON()))
	good := es.header()
	sign := func(header string) string { return es.sign(header, payload) }
	kid := func(value string) string { return sign(edit(good, `"`+es.ID+`"`, value)) }
	member := func(m string) string { return edit(good, `"typ"`, m+`,"typ"`) }
	typ := func(value string) string { return sign(edit(good, `"JWT"`, value)) }
	brought := func(m string) string { return attacker.sign(member(m), payload) }
	forgery := invalid("signature: crypto/ecdsa: verification error")
	notJSON := invalid("not JSON")
	unknown := invalid("no key for its kid")
	twice := invalid("a member is there twice")
	otherType := invalid("typ is another kind of token")
	return []forged{
		{"alg twice, the same", sign(member(`"alg":"ES256"`)), twice},
		{"alg twice, none first", sign(`{"alg":"none",` + good[1:]), twice},
		{"alg twice, none last", sign(good[:len(good)-1] + `,"alg":"none"}`), twice},
		{"alg twice, once by escapes", sign(member(`"\u0061lg":"ES256"`)), twice},
		{"an unknown member twice", sign(member(`"x":1,"x":1`)), twice},
		{"ALG for alg", sign(edit(good, `"alg"`, `"ALG"`)), invalid(otherAlgorithm)},
		{"a space in alg", sign(edit(good, `"alg"`, `"alg "`)), invalid(otherAlgorithm)},
		{"a Kelvin sign in kid", sign(edit(good, `"kid"`, "\"\u212aid\"")), unknown},
		{"half a surrogate pair in a name", sign(member(`"\ud800":1`)), invalid("a member's name is no text")},

		{"crit names a claim", sign(member(`"crit":["exp"]`)), invalid("crit is not understood")},
		{"crit names what nobody knows", sign(member(`"crit":["x"],"x":1`)), invalid("crit is not understood")},
		{"crit names alg", sign(member(`"crit":["alg"]`)), invalid("crit is not understood")},
		{"crit is empty", sign(member(`"crit":[]`)), invalid("crit is not understood")},
		{"crit is null", sign(member(`"crit":null`)), invalid("crit is not understood")},
		{"crit is a string", sign(member(`"crit":"exp"`)), invalid("crit is not understood")},
		{"crit by escapes", sign(member(`"\u0063rit":["x"]`)), invalid("crit is not understood")},
		{"b64 false and critical", sign(member(`"b64":false,"crit":["b64"]`)), invalid("crit is not understood")},
		{"b64 false", sign(member(`"b64":false`)), invalid("b64 is not understood")},
		{"b64 true", sign(member(`"b64":true`)), invalid("b64 is not understood")},
		{"b64 false and a payload as it is", es.seal(b64(member(`"b64":false`)) + "." + payload), invalid("b64 is not understood")},

		{"the forger's key in jwk", brought(`"jwk":` + public), forgery},
		{"the forger's key behind jku", brought(`"jku":"https://forger.example/jwks.json"`), forgery},
		{"the forger's certificate behind x5u", brought(`"x5u":"https://forger.example/cert.pem"`), forgery},
		{"the forger's certificate in x5c", brought(`"x5c":["MIIBszCCAVmgAwIBAgIUfake"]`), forgery},
		{"the forger's thumbprint in x5t", brought(`"x5t#S256":"` + attacker.ID + `"`), forgery},
		{"the forger's key in jwk and its kid", attacker.sign(edit(attacker.header(), `"typ"`, `"jwk":`+public+`,"typ"`), payload), unknown},
		{"the forger's secret in jwk", secretIssuer("HS256", []byte("forger")).sign(edit(member(`"jwk":{"kty":"oct","k":"Zm9yZ2Vy"}`), "ES256", "HS256"), payload), invalid(otherAlgorithm)},

		{"a kid nobody knows", kid(`"nobody"`), unknown},
		{"a kid in other case", kid(`"` + swapCase(es.ID) + `"`), unknown},
		{"a kid with a space behind", kid(`"` + es.ID + ` "`), unknown},
		{"a kid with a NUL behind", kid(`"` + es.ID + `\u0000"`), invalid("kid is not an identifier")},
		{"a kid that is a path", kid(`"../../../../dev/null"`), unknown},
		{"a kid that is a query", kid(`"' UNION SELECT 'secret' --"`), unknown},
		{"a kid that is a command", kid(`"|/usr/bin/id"`), unknown},
		{"a kid that is an address", kid(`"https://forger.example/key"`), unknown},
		{"an empty kid", kid(`""`), unknown},
		{"no kid", sign(`{"alg":"ES256","typ":"JWT"}`), unknown},
		{"kid null", kid(`null`), invalid("kid is not a string")},
		{"kid a number", kid(`1`), invalid("kid is not a string")},
		{"kid in an array", kid(`["` + es.ID + `"]`), invalid("kid is not a string")},
		{"kid in an object", kid(`{"kid":"` + es.ID + `"}`), invalid("kid is not a string")},
		{"kid true", kid(`true`), invalid("kid is not a string")},
		{"kid with half a surrogate pair", kid(`"\udfff"`), invalid("kid is not a string")},
		{"a kid beyond the length", kid(`"` + strings.Repeat("k", 256) + `"`), invalid("kid is not an identifier")},
		{"kid twice", sign(member(`"kid":"` + es.ID + `"`)), twice},

		{"typ of a proof of possession", typ(`"dpop+jwt"`), otherType},
		{"typ of a logout token", typ(`"logout+jwt"`), otherType},
		{"typ of a security event", typ(`"secevent+jwt"`), otherType},
		{"typ of an encrypted token", typ(`"JWE"`), otherType},
		{"typ with a space", typ(`"JWT "`), otherType},
		{"typ empty", typ(`""`), otherType},
		{"typ null", typ(`null`), otherType},
		{"typ a number", typ(`1`), otherType},
		{"typ in an array", typ(`["JWT"]`), otherType},

		{"null", sign(`null`), invalid("not a JSON object")},
		{"an array", sign(`[` + good + `]`), invalid("not a JSON object")},
		{"a string", sign(`"alg"`), invalid("not a JSON object")},
		{"a number", sign(`1`), invalid("not a JSON object")},
		{"true", sign(`true`), invalid("not a JSON object")},
		{"an empty object", sign(`{}`), unknown},
		{"white space alone", sign(` `), notJSON},
		{"text behind the object", sign(good + `x`), notJSON},
		{"an object behind the object", sign(good + `{}`), notJSON},
		{"a brace behind the object", sign(good + `}`), notJSON},
		{"a NUL behind the object", sign(good + "\x00"), notJSON},
		{"text before the object", sign(`x` + good), notJSON},
		{"a comma before the end", sign(good[:len(good)-1] + `,}`), notJSON},
		{"no end", sign(good[:len(good)-1]), notJSON},
		{"a comment", sign(`{/**/` + good[1:]), notJSON},
		{"single quotes", sign(strings.ReplaceAll(good, `"`, `'`)), notJSON},
		{"a name without quotes", sign(edit(good, `"typ"`, `typ`)), notJSON},
		{"a control character in a text", sign(member("\"x\":\"\x01\"")), notJSON},
		{"NaN", sign(member(`"x":NaN`)), notJSON},
		{"arrays without end", sign(`{"x":` + strings.Repeat("[", 900)), notJSON},
		{"arrays in arrays beyond the length", sign(edit(good, `"JWT"`, `"JWT","x":`+strings.Repeat("[", 600)+strings.Repeat("]", 600))), invalid("header is too long")},
		{"white space beyond the length", sign(good + strings.Repeat(" ", 1<<10)), invalid("header is too long")},
	}
}

// claim signs the payload with the one value that stands for old replaced.
func claim(es issuer, old, new string) string {
	return es.sign(es.header(), edit(payload, old, new))
}

func times(es issuer) []forged {
	exp := func(value string) string { return claim(es, `1700000300`, value) }
	iat := func(value string) string { return claim(es, `"iat":1700000000`, `"iat":`+value) }
	nbf := func(value string) string { return claim(es, `"iat"`, `"nbf":`+value+`,"iat"`) }
	const inFuture, noDate = " is in the future", " is not a date"
	return []forged{
		{"no exp", claim(es, `"exp":1700000300,`, ``), noExpiry},
		{"EXP for exp", claim(es, `"exp"`, `"EXP"`), noExpiry},
		{"exp null", exp(`null`), invalid("exp" + noDate)},
		{"exp a string", exp(`"1700000300"`), invalid("exp" + noDate)},
		{"exp true", exp(`true`), invalid("exp" + noDate)},
		{"exp in an array", exp(`[1700000300]`), invalid("exp" + noDate)},
		{"exp in an object", exp(`{}`), invalid("exp" + noDate)},
		{"exp beyond the year 9999", exp(`253402300800`), invalid("exp" + noDate)},
		{"exp beyond every integer", exp(`1e30`), invalid("exp" + noDate)},
		{"exp beyond every float", exp(`1e400`), invalid("exp" + noDate)},
		{"exp NaN", exp(`NaN`), invalid("not JSON")},
		{"exp Infinity", exp(`Infinity`), invalid("not JSON")},
		{"exp hexadecimal", exp(`0x7fffffff`), invalid("not JSON")},
		{"exp with a zero before", exp(`01700000300`), invalid("not JSON")},
		{"exp with a plus", exp(`+1700000300`), invalid("not JSON")},
		{"exp with an underscore", exp(`1_700_000_300`), invalid("not JSON")},
		{"exp now", exp(`1700000000`), expired},
		{"exp now and a fraction", exp(`1700000000.999`), expired},
		{"exp a second ago", exp(`1699999999`), expired},
		{"exp zero", exp(`0`), expired},
		{"exp negative", exp(`-1700000300`), expired},
		{"exp far before the common era", exp(`-62135596800`), expired},
		{"exp a tiny fraction", exp(`1e-300`), expired},
		{"exp twice", claim(es, `"iat"`, `"exp":1700000300,"iat"`), invalid("a member is there twice")},
		{"exp twice, once over", claim(es, `"iat"`, `"exp":1,"iat"`), invalid("a member is there twice")},
		{"exp twice, once by escapes", claim(es, `"iat"`, `"e\u0078p":1800000000,"iat"`), invalid("a member is there twice")},

		{"no iat", claim(es, `"iat":1700000000,`, ``), invalid("it has no iat")},
		{"iat null", iat(`null`), invalid("iat" + noDate)},
		{"iat a string", iat(`"1700000000"`), invalid("iat" + noDate)},
		{"iat false", iat(`false`), invalid("iat" + noDate)},
		{"iat in an array", iat(`[]`), invalid("iat" + noDate)},
		{"iat a second in the future", iat(`1700000001`), invalid("iat" + inFuture)},
		{"iat beyond every float", iat(`1e999`), invalid("iat" + noDate)},
		{"nbf null", nbf(`null`), invalid("nbf" + noDate)},
		{"nbf a string", nbf(`"1"`), invalid("nbf" + noDate)},
		{"nbf true", nbf(`true`), invalid("nbf" + noDate)},
		{"nbf in an object", nbf(`{"nbf":1}`), invalid("nbf" + noDate)},
		{"nbf a second in the future", nbf(`1700000001`), invalid("nbf" + inFuture)},
		{"nbf a second and a fraction in the future", nbf(`1700000001.5`), invalid("nbf" + inFuture)},
		{"nbf beyond every integer", nbf(`1e300`), invalid("nbf" + noDate)},
		{"expired and of no type", es.sign(es.header(), `{"exp":1,"iat":1}`), expired},
		{"no exp and nbf in the future", es.sign(es.header(), `{"nbf":1800000000}`), invalid("nbf" + inFuture)},
	}
}

func identities(es issuer) []forged {
	jti := func(value string) string { return claim(es, `"0123456789abcdef0123456789abcdef"`, value) }
	kind := func(value string) string { return claim(es, `"access"`, value) }
	user := func(value string) string { return claim(es, `"user_id":"1"`, `"user_id":`+value) }
	sub := func(value string) string { return claim(es, `"sub":"1"`, `"sub":`+value) }
	sid := func(value string) string { return claim(es, `"fedcba9876543210fedcba9876543210"`, value) }
	epoch := func(value string) string { return claim(es, `"epoch":3`, `"epoch":`+value) }
	roles := func(value string) string { return claim(es, `["editor"]`, value) }
	long := `"` + strings.Repeat("1", 256) + `"`
	const noString, noIdentifier = " is not a string", " is not an identifier"
	noUser := invalid("it names no user")
	noNumber := invalid("epoch is not a whole number")
	twice := invalid("a member is there twice")
	return []forged{
		{"no jti", claim(es, `"jti":"0123456789abcdef0123456789abcdef",`, ``), noID},
		{"jti empty", jti(`""`), noID},
		{"jti null", jti(`null`), invalid("jti" + noString)},
		{"jti a number", jti(`1`), invalid("jti" + noString)},
		{"jti in an array", jti(`["1"]`), invalid("jti" + noString)},
		{"jti an object", jti(`{}`), invalid("jti" + noString)},
		{"jti beyond the length", jti(long), invalid("jti" + noIdentifier)},
		{"jti with a NUL", jti(`"\u0000"`), invalid("jti" + noIdentifier)},
		{"jti with half a surrogate pair", jti(`"\udc00"`), invalid("jti" + noString)},
		{"jti twice", claim(es, `"sub"`, `"jti":"1","sub"`), twice},

		{"no token_type", claim(es, `"token_type":"access",`, ``), noType},
		{"a Kelvin sign in token_type", claim(es, `"token_type"`, "\"to\u212aen_type\""), noType},
		{"Token_Type for token_type", claim(es, `"token_type"`, `"Token_Type"`), noType},
		{"a NUL behind token_type", claim(es, `"token_type"`, `"token_type\u0000"`), noType},
		{"token_type null", kind(`null`), wrongType},
		{"token_type a number", kind(`1`), wrongType},
		{"token_type in an array", kind(`["access"]`), wrongType},
		{"token_type true", kind(`true`), wrongType},
		{"token_type sliding", kind(`"sliding"`), wrongType},
		{"token_type empty", kind(`""`), wrongType},
		{"token_type in upper case", kind(`"ACCESS"`), wrongType},
		{"token_type with a space", kind(`"access "`), wrongType},
		{"token_type with a NUL", kind(`"access\u0000"`), wrongType},
		{"token_type with half a surrogate pair", kind(`"access\ud800"`), wrongType},
		{"token_type twice", claim(es, `"sub"`, `"token_type":"refresh","sub"`), twice},
		{"token_type twice, once by escapes", claim(es, `"sub"`, `"token_\u0074ype":"access","sub"`), twice},

		{"no user_id", claim(es, `"user_id":"1",`, ``), noUser},
		{"a long s in user_id", claim(es, `"user_id"`, "\"u\u017fer_id\""), noUser},
		{"USER_ID for user_id", claim(es, `"user_id"`, `"USER_ID"`), noUser},
		{"user_id empty", user(`""`), noUser},
		{"user_id null", user(`null`), invalid("user_id" + noString)},
		{"user_id true", user(`true`), invalid("user_id" + noString)},
		{"user_id in an array", user(`["1"]`), invalid("user_id" + noString)},
		{"user_id in an object", user(`{"id":1}`), invalid("user_id" + noString)},
		{"user_id with a fraction", user(`1.5`), invalid("user_id" + noString)},
		{"user_id a float that is whole", user(`1.0`), invalid("user_id" + noString)},
		{"user_id with an exponent", user(`1e0`), invalid("user_id" + noString)},
		{"user_id negative", user(`-1`), invalid("user_id" + noString)},
		{"user_id beyond 63 bits", user(`9223372036854775808`), invalid("user_id" + noString)},
		{"user_id beyond 64 bits", user(`18446744073709551617`), invalid("user_id" + noString)},
		{"user_id beyond the length", user(long), invalid("user_id" + noIdentifier)},
		{"user_id with a NUL", user(`"1\u0000"`), invalid("user_id" + noIdentifier)},
		{"user_id with a line break", user(`"1\n"`), invalid("user_id" + noIdentifier)},
		{"user_id twice", claim(es, `"sub"`, `"user_id":"2","sub"`), twice},
		{"sub a number", sub(`1`), invalid("sub" + noString)},
		{"sub null", sub(`null`), invalid("sub" + noString)},
		{"sub in an array", sub(`["1"]`), invalid("sub" + noString)},
		{"sub beyond the length", sub(long), invalid("sub" + noIdentifier)},

		{"sid a number", sid(`1`), invalid("sid" + noString)},
		{"sid null", sid(`null`), invalid("sid" + noString)},
		{"sid in an array", sid(`[]`), invalid("sid" + noString)},
		{"sid beyond the length", sid(long), invalid("sid" + noIdentifier)},
		{"epoch a string", epoch(`"3"`), noNumber},
		{"epoch null", epoch(`null`), noNumber},
		{"epoch true", epoch(`true`), noNumber},
		{"epoch with a fraction", epoch(`3.5`), noNumber},
		{"epoch with an exponent", epoch(`3e0`), noNumber},
		{"epoch beyond 63 bits", epoch(`9223372036854775808`), noNumber},
		{"epoch in an array", epoch(`[3]`), noNumber},
		{"roles a string", roles(`"editor"`), invalid("roles is not an array")},
		{"roles null", roles(`null`), invalid("roles is not an array")},
		{"roles an object", roles(`{"editor":true}`), invalid("roles is not an array")},
		{"roles a number", roles(`1`), invalid("roles is not an array")},
		{"roles of numbers", roles(`["editor",1]`), invalid("roles holds what is not a string")},
		{"roles with null", roles(`["editor",null]`), invalid("roles holds what is not a string")},
		{"roles in roles", roles(`["editor",["editor"]]`), invalid("roles holds what is not a string")},
	}
}

func payloads(es issuer) []forged {
	sign := func(payload string) string { return es.sign(es.header(), payload) }
	notJSON, noObject := invalid("not JSON"), invalid("not a JSON object")
	return []forged{
		{"null", sign(`null`), noObject},
		{"an array", sign(`[` + payload + `]`), noObject},
		{"a string", sign(`"access"`), noObject},
		{"a number", sign(`1700000300`), noObject},
		{"an empty object", sign(`{}`), noExpiry},
		{"an object in an object", sign(`{"":` + payload + `}`), noExpiry},
		{"text behind the object", sign(payload + `x`), notJSON},
		{"an object behind the object", sign(payload + payload), notJSON},
		{"a comma behind the object", sign(payload + `,`), notJSON},
		{"no end", sign(payload[:len(payload)-1]), notJSON},
		{"half a surrogate pair in a name", sign(edit(payload, `"sub"`, `"\udead":1,"sub"`)), invalid("a member's name is no text")},
		{"a control character in a name", sign(edit(payload, `"sub"`, "\"\x07\":1,\"sub\"")), notJSON},
		{"arrays beyond every depth", sign(`{"x":` + strings.Repeat("[", 11000) + "1"), notJSON},
		{"an encrypted token", sign("eyJhbGciOiJkaXIifQ..QUFB.QUFB.QUFB"), notJSON},
	}
}

func issuers(es issuer) []forged {
	iss := func(value string) string { return claim(es, `"sub"`, `"iss":`+value+`,"sub"`) }
	refused := invalid("iss is not ours")
	return []forged{
		{"missing", es.token(), refused},
		{"another", iss(`"https://forger.example"`), refused},
		{"empty", iss(`""`), refused},
		{"a prefix", iss(`"https://id.exampl"`), refused},
		{"a slash behind", iss(`"https://id.example/"`), refused},
		{"another domain behind", iss(`"https://id.example.forger.example"`), refused},
		{"in other case", iss(`"https://ID.example"`), refused},
		{"in an array", iss(`["https://id.example"]`), refused},
		{"in an object", iss(`{"iss":"https://id.example"}`), refused},
		{"null", iss(`null`), refused},
		{"a number", iss(`1`), refused},
		{"with a NUL", iss(`"https://id.example\u0000"`), refused},
		{"under another name", claim(es, `"sub"`, `"ISS":"https://id.example","sub"`), refused},
		{"twice", iss(`"https://forger.example","iss":"https://id.example"`), invalid("a member is there twice")},
	}
}

func audiences(es issuer) []forged {
	aud := func(value string) string { return claim(es, `"sub"`, `"aud":`+value+`,"sub"`) }
	refused := invalid("aud is not ours")
	return []forged{
		{"missing", es.token(), refused},
		{"another", aud(`"bank"`), refused},
		{"empty", aud(`""`), refused},
		{"a prefix", aud(`"sho"`), refused},
		{"more behind", aud(`"shop2"`), refused},
		{"in other case", aud(`"Shop"`), refused},
		{"several in one text", aud(`"bank shop"`), refused},
		{"null", aud(`null`), refused},
		{"a number", aud(`1`), refused},
		{"an object", aud(`{"shop":true}`), refused},
		{"an empty array", aud(`[]`), refused},
		{"an array of others", aud(`["bank","shop2"]`), refused},
		{"an array in an array", aud(`[["shop"]]`), refused},
		{"an array with a number", aud(`["shop",1]`), refused},
		{"an array of null", aud(`[null]`), refused},
		{"under another name", claim(es, `"sub"`, `"AUD":"shop","sub"`), refused},
		{"twice", aud(`"bank","aud":"shop"`), invalid("a member is there twice")},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func cutSignature(raw string) (signed, signature string) {
	i := strings.LastIndexByte(raw, '.')
	return raw[:i], raw[i+1:]
}

func digestOf(signed string) []byte {
	digest := sha256.Sum256([]byte(signed))
	return digest[:]
}

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

// power applies the private key to a block as it is.
func power(private *rsa.PrivateKey, block []byte) []byte {
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, private.D, private.N).FillBytes(make([]byte, private.Size()))
}

func pss(t *testing.T, private *rsa.PrivateKey, signed string) []byte {
	t.Helper()
	signature, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, digestOf(signed), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// ragged appends spaces to JSON until its base64 ends in four unused bits.
func ragged(text string) string {
	for len(text)%3 != 1 {
		text += " "
	}
	return text
}

// unused sets an unused bit at the end of a ragged segment.
func unused(segment string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, segment[len(segment)-1])
	return segment[:len(segment)-1] + alphabet[last|1:last|1+1]
}

// standard writes a segment in base64's standard alphabet.
func standard(segment string) string {
	text := strings.NewReplacer("-", "+", "_", "/").Replace(segment)
	if text == segment {
		panic("the alphabets do not differ in " + segment)
	}
	return text
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if upper := []rune(strings.ToUpper(string(r)))[0]; upper != r {
			return upper
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, s)
}
