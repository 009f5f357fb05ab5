package password_test

import (
	"errors"
	"strings"
	"testing"

	"latchkey/auth/password"
)

// The hashes were written by the argon2 command of the reference
// implementation, release 20171227. The first two are in its own test suite.
var referenceHashes = []struct {
	name     string
	password string
	encoded  string
}{
	{"one lane", "password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
	{"two lanes", "password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
	{"one pass", "password", "$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$Ak7Awaxl0I2V8eRvzDOAHcXc7gRUcOdHZbf3OBtQ7NU"},
	{"four lanes, three passes, longer salt", "correct horse battery staple", "$argon2id$v=19$m=64,t=3,p=4$c2l4dGVlbmJ5dGVzYWx0IQ$qo5uRLlsu1pPWw8DVOQ1m2HX7OKCDG8gn6Gu5deG650"},
	{"letters beyond ASCII, space at the end, short tag", "пароль🔑 with spaces ", "$argon2id$v=19$m=128,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$n3DEOed9g10xeO4tae2h+g"},
	{"long tag", "password", "$argon2id$v=19$m=256,t=2,p=1$ZGlmZnNhbHQ$cneRHlgONx8cjRGmLWKzIol3qf96RQcLrsaFZb7FWQ2wGemSkhWe+7uLwazyVQ/fIQR0WqBjJTzdRVEQfeRS1A"},
	{"default parameters", "password", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$PL01amPyeUuxG7H0vIr5X+qHkZvWnHmGBGXFYvh8z2E"},
}

func TestVerifyReadsHashesOfTheReferenceImplementation(t *testing.T) {
	h := newHasher(t, password.Options{})
	for _, test := range referenceHashes {
		t.Run(test.name, func(t *testing.T) {
			if got := verify(t, h, test.password, test.encoded); !got.Match {
				t.Error("the right password did not match")
			}
			if got := verify(t, h, test.password+"x", test.encoded); got.Match {
				t.Error("a wrong password matched")
			}
		})
	}
}

func TestVerifyRefusesWhatIsNoHash(t *testing.T) {
	const (
		salt = "MDEyMzQ1Njc4OWFiY2RlZg"
		tag  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
		good = "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + tag
	)
	tests := []struct{ name, encoded string }{
		{"plain text", "a password in the clear"},
		{"argon2i", strings.Replace(good, "argon2id", "argon2i", 1)},
		{"prefix only", "$argon2id$"},
		{"no version", "$argon2id$m=256,t=2,p=1$" + salt + "$" + tag},
		{"old version", strings.Replace(good, "v=19", "v=16", 1)},
		{"no tag", strings.TrimSuffix(good, "$"+tag)},
		{"empty tag", strings.TrimSuffix(good, tag)},
		{"field too many", good + "$" + tag},
		{"space in front", " " + good},
		{"line break behind", good + "\n"},
		{"line break inside the salt", strings.Replace(good, "MDEy", "MD\nEy", 1)},
		{"padding", good + "="},
		{"URL alphabet", strings.ReplaceAll(good, "/", "_")},
		{"stray bits at the end of the salt", strings.Replace(good, salt, salt[:len(salt)-1]+"h", 1)},
		{"salt of seven bytes", strings.Replace(good, salt, "MDEyMzQ1Ng", 1)},
		{"salt of 65 bytes", strings.Replace(good, salt, strings.Repeat("A", 86)+"A", 1)},
		{"tag of fifteen bytes", strings.Replace(good, tag, "MDEyMzQ1Njc4OWFiY2Rl", 1)},
		{"tag of 65 bytes", strings.Replace(good, tag, strings.Repeat("A", 87), 1)},
		{"parameters in another order", strings.Replace(good, "m=256,t=2", "t=2,m=256", 1)},
		{"parameter missing", strings.Replace(good, ",p=1", "", 1)},
		{"parameter too many", strings.Replace(good, ",p=1", ",p=1,keyid=1", 1)},
		{"leading zero", strings.Replace(good, "t=2", "t=02", 1)},
		{"sign", strings.Replace(good, "t=2", "t=+2", 1)},
		{"negative", strings.Replace(good, "t=2", "t=-2", 1)},
		{"no number", strings.Replace(good, "t=2", "t=", 1)},
		{"no passes", strings.Replace(good, "t=2", "t=0", 1)},
		{"no lanes", strings.Replace(good, "p=1", "p=0", 1)},
		{"too little memory for the lanes", strings.Replace(good, "m=256,t=2,p=1", "m=15,t=2,p=2", 1)},
		{"more than 128 MiB", strings.Replace(good, "m=256,t=2", "m=131073,t=1", 1)},
		{"4 TiB", strings.Replace(good, "m=256", "m=4294967295", 1)},
		{"more memory than a number holds", strings.Replace(good, "m=256", "m=4294967296", 1)},
		{"passes for hours", strings.Replace(good, "t=2", "t=4294967295", 1)},
		{"much memory, many passes", strings.Replace(good, "m=256,t=2", "m=131072,t=9", 1)},
		{"work that overflows 32 bits", strings.Replace(good, "m=256,t=2", "m=65536,t=65537", 1)},
		{"lanes by the hundred", strings.Replace(good, "m=256,t=2,p=1", "m=4096,t=2,p=255", 1)},
		{"more lanes than a byte holds", strings.Replace(good, "p=1", "p=256", 1)},
		{"a megabyte", good + strings.Repeat("A", 1<<20)},
		{"a megabyte of dollars", "$argon2id$" + strings.Repeat("$", 1<<20)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHasher(t, cheap())
			h.SetDerive(func([]byte, []byte, uint32, uint32, uint8, uint32) []byte {
				t.Error("the text was taken for a hash")
				return nil
			})
			got, err := h.Verify(t.Context(), "password", test.encoded)
			if !errors.Is(err, password.ErrMalformed) {
				t.Errorf("Verify error = %v, want ErrMalformed", err)
			}
			if got != (password.Result{}) {
				t.Errorf("Verify = %+v, want nothing", got)
			}
			if err != nil && strings.Contains(err.Error(), test.encoded) {
				t.Errorf("the error repeats what was stored: %v", err)
			}
		})
	}
}
