package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"latchkey/auth/token"
)

// The examples of the standards are no tokens of ours: what shows that their signature holds is that they are refused
// for what they say, which is not read before.
func TestSignaturesOfTheStandardsHold(t *testing.T) {
	const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" // until 1300819380
	n := new(big.Int).SetBytes(unb64(
		"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"))
	point := unb64("BH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRFx_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0") // x and y
	es256 := must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point))
	secret := unb64("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	eddsa := ed25519.PublicKey(unb64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
	for _, tt := range []struct {
		name string
		key  token.Key
		raw  string
		want refusal
	}{
		{
			"RFC 7515 appendix A.1, HS256",
			token.Key{Algorithm: "HS256", Public: secret},
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + joe + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", noID,
		},
		{
			"RFC 7515 appendix A.2, RS256",
			token.Key{Algorithm: "RS256", Public: &rsa.PublicKey{N: n, E: 65537}},
			"eyJhbGciOiJSUzI1NiJ9." + joe + ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw", noID,
		},
		{
			"RFC 7515 appendix A.3, ES256",
			token.Key{Algorithm: "ES256", Public: es256},
			"eyJhbGciOiJFUzI1NiJ9." + joe + ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", noID,
		},
		{
			"RFC 8037 appendix A.4, EdDSA",
			token.Key{Algorithm: "EdDSA", Public: eddsa},
			"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", invalid("not JSON"),
		},
		{
			"RFC 7515 appendix A.5, none",
			token.Key{Algorithm: "HS256", Public: secret},
			"eyJhbGciOiJub25lIn0." + joe + ".", invalid("not base64url"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			by := issuer{tt.key}
			c := codec(token.Options{Now: func() time.Time { return time.Unix(1300819379, 0) }})
			_, err := c.Parse(t.Context(), tt.raw, by.lookup)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := refusalOf(t, err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if tt.want == invalid("not base64url") {
				return
			}
			_, err = c.Parse(t.Context(), strings.Replace(tt.raw, ".e", ".f", 1), by.lookup)
			if tt.key.Algorithm == "EdDSA" {
				_, err = c.Parse(t.Context(), strings.Replace(tt.raw, ".R", ".S", 1), by.lookup)
			}
			if got := refusalOf(t, err); !strings.HasPrefix(got.detail, "signature: ") {
				t.Errorf("with another payload: got %v, want a signature that does not hold", got)
			}
		})
	}
}

func unb64(s string) []byte { return must(base64.RawURLEncoding.DecodeString(s)) }
