package keys_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"

	"latchkey/auth/keys"
)

func TestFromPEMReadsPrivateKeys(t *testing.T) {
	ec, ed := newECDSA(elliptic.P256()), newEd25519()
	ecPEM := encodePEM("PRIVATE KEY", pkcs8(ec))
	for _, tt := range []struct {
		name, algorithm string
		text            []byte
	}{
		{"ECDSA in PKCS #8", "ES256", ecPEM},
		{"ECDSA in SEC 1", "ES256", encodePEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))},
		{"ECDSA as OpenSSL writes it, its parameters before it", "ES256", append(encodePEM("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), encodePEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))...)},
		{"Ed25519 in PKCS #8", "EdDSA", encodePEM("PRIVATE KEY", pkcs8(ed))},
		{"RSA in PKCS #8", "RS256", encodePEM("PRIVATE KEY", pkcs8(rsaKey()))},
		{"RSA in PKCS #1", "RS256", encodePEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))},
		{"line ends of Windows", "ES256", bytes.ReplaceAll(ecPEM, []byte("\n"), []byte("\r\n"))},
		{"no line end at the end", "ES256", bytes.TrimSpace(ecPEM)},
		{"text before and behind", "ES256", append(append([]byte("the key of the shop\n"), ecPEM...), "kept in the safe\n"...)},
		{"the public key behind", "ES256", append(bytes.Clone(ecPEM), encodePEM("PUBLIC KEY", pkix(ec.Public()))...)},
		{"a certificate before", "ES256", append(certificate(ec), ecPEM...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := keys.FromPEM(tt.algorithm, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if err := signs(t, k, k); err != nil {
				t.Error(err)
			}
			again, err := keys.FromPEM(tt.algorithm, tt.text)
			if err != nil || again.ID != k.ID || k.ID == "" {
				t.Errorf("read twice: kids %q and %q, error %v", k.ID, again.ID, err)
			}
		})
	}
}

func TestFromPEMRefusesWhatDoesNotFit(t *testing.T) {
	ec, ed := newECDSA(elliptic.P256()), newEd25519()
	ecPEM, edPEM := encodePEM("PRIVATE KEY", pkcs8(ec)), encodePEM("PRIVATE KEY", pkcs8(ed))
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	x25519 := must(x509.MarshalPKCS8PrivateKey(must(ecdh.X25519().GenerateKey(rand.Reader))))
	legacy := pem.EncodeToMemory(&pem.Block{
		Type:    "RSA PRIVATE KEY",
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00112233445566778899AABBCCDDEEFF"},
		Bytes:   x509.MarshalPKCS1PrivateKey(rsaKey()),
	})
	for _, tt := range []struct {
		name, algorithm string
		text            []byte
		want            string
	}{
		{"nothing", "ES256", nil, "not a PEM text"},
		{"text without a block", "ES256", []byte("a password, perhaps"), "not a PEM text"},
		{"a block without its end", "ES256", ecPEM[:len(ecPEM)/2], "not a PEM text"},
		{"the base64 without its frame", "ES256", []byte(base64.StdEncoding.EncodeToString(pkcs8(ec))), "not a PEM text"},
		{"DER", "ES256", pkcs8(ec), "not a PEM text"},
		{"a block of garbage", "ES256", encodePEM("PRIVATE KEY", []byte("no key, but garbage")), "cannot be read"},
		{"a key with a byte cut off", "ES256", encodePEM("PRIVATE KEY", pkcs8(ec)[:100]), "cannot be read"},
		{"a public key", "ES256", encodePEM("PUBLIC KEY", pkix(ec.Public())), "no private key"},
		{"an RSA public key in PKCS #1", "RS256", encodePEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)), "no private key"},
		{"a certificate", "ES256", certificate(ec), "no private key"},
		{"parameters alone", "ES256", encodePEM("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), "no private key"},
		{"an encrypted key in PKCS #8", "ES256", encodePEM("ENCRYPTED PRIVATE KEY", pkcs8(ec)), "encrypted"},
		{"an encrypted key in the old form", "RS256", legacy, "encrypted"},
		{"an OpenSSH key", "EdDSA", encodePEM("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), "cannot be read"},
		{"two private keys", "ES256", append(bytes.Clone(ecPEM), ecPEM...), "several"},
		{"a private key and an encrypted one", "ES256", append(bytes.Clone(ecPEM), encodePEM("ENCRYPTED PRIVATE KEY", pkcs8(ec))...), "encrypted"},
		{"P-384 for ES256", "ES256", encodePEM("PRIVATE KEY", pkcs8(newECDSA(elliptic.P384()))), "does not fit"},
		{"P-224 for ES256", "ES256", encodePEM("PRIVATE KEY", pkcs8(newECDSA(elliptic.P224()))), "does not fit"},
		{"Ed25519 for ES256", "ES256", edPEM, "does not fit"},
		{"X25519 for EdDSA", "EdDSA", encodePEM("PRIVATE KEY", x25519), "cannot be read"},
		{"ECDSA for EdDSA", "EdDSA", ecPEM, "does not fit"},
		{"ECDSA for RS256", "RS256", ecPEM, "does not fit"},
		{"RSA for ES256", "ES256", encodePEM("PRIVATE KEY", pkcs8(rsaKey())), "does not fit"},
		{"RSA of 1024 bits", "RS256", encodePEM("PRIVATE KEY", pkcs8(small)), "1024 bits"},
		{"a private key for HS256", "HS256", ecPEM, "does not fit"},
		{"a private key for no algorithm", "", ecPEM, "does not fit"},
		{"a private key for none", "none", ecPEM, "does not fit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := keys.FromPEM(tt.algorithm, tt.text)
			checkRefused(t, err, tt.want, tt.text)
		})
	}
}

// The key and its name are those of RFC 8037 appendix A.1 and A.3.
func TestFromPEMNamesKeysByTheirThumbprint(t *testing.T) {
	seed := must(base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
	k, err := keys.FromPEM("EdDSA", encodePEM("PRIVATE KEY", pkcs8(ed25519.NewKeyFromSeed(seed))))
	if err != nil {
		t.Fatal(err)
	}
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; k.ID != want {
		t.Errorf("got kid %q, want %q", k.ID, want)
	}
}

// certificate returns a certificate that the key gives itself.
func certificate(private *ecdsa.PrivateKey) []byte {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now}
	return encodePEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)))
}
