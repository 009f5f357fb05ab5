package password_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/auth/password"
)

const (
	battery   = "correct horse battery"
	cyrillic  = "пароль🔑 with spaces "
	reference = "argon2$argon2id$v=19$m=64,t=2,p=4$c2Vhc2FsdDg$eDZtFABL5t5yvmKR2VBChSkuJ70VjBbfjkEmYh9eKvI"
)

var (
	aLot = strings.Repeat("a", 72) + "bcdefghi" // bcrypt reads 72 bytes
	page = strings.Repeat("0123456789", 26)[:256]
)

// djangoHashes were made by Django 3.2.25 with Python 3.11, argon2-cffi 21.1.0
// and bcrypt 3.2.2; the ones of scrypt, which that release does not know, by
// hashlib.scrypt of the same Python (the first is in Django's own test suite);
// the ones with argon2 parameters of their own by argon2-cffi.
var djangoHashes = []struct {
	name     string
	password string
	encoded  string
}{
	{"pbkdf2_sha256", "lètmein", "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A="},
	{"pbkdf2_sha256 as Django 3.2 makes it", battery, "pbkdf2_sha256$260000$Wq3Zb7pXkR0vTn5sYd2LhM$rofv9yjfj50V2o1sxb6DK6sX7vT5fusAA/III1UKsiM="},
	{"pbkdf2_sha256, one iteration, 80 bytes", aLot, "pbkdf2_sha256$1$x$Yv/PywtbeO6NIvVs88mOpxyNax3v6a1ptG3obtMTxFc="},
	{"pbkdf2_sha256, letters beyond ASCII in the salt too", cyrillic, "pbkdf2_sha256$2$sål t/!$yitDTkMrz14Vua+Xq35KcmDOQiMJLQBLKg3dLpWimH0="},
	{"pbkdf2_sha1", battery, "pbkdf2_sha1$260000$jT8mQe2VxLc6$QgqUNC/WWXJbBHhOa586F9Ik4lE="},
	{"pbkdf2_sha1, letters beyond ASCII", cyrillic, "pbkdf2_sha1$1000$seasalt$Bsj5Rz809I6Da+uXyrkZyImKnTY="},
	{"argon2id as Django makes it", battery, "argon2$argon2id$v=19$m=102400,t=2,p=8$V3EzWmI3cFhrUjB2VG41c1lkMkxoTQ$JOgrdtpO/p14muCA80/8mg"},
	{"argon2id, letters beyond ASCII", cyrillic, reference},
	{"argon2i as Django before 3.2 made it", battery, "argon2$argon2i$v=19$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$/OGCsFxv33ppyVG3gdNWVA"},
	{"argon2i, letters beyond ASCII, one pass", cyrillic, "argon2$argon2i$v=19$m=64,t=1,p=1$alQ4bVFlMlZ4TGM2V3EzWg$cplk++DbLUHCWDQliiPy5brGpR6vXTnScKAMlcfhmtM"},
	{"bcrypt_sha256", battery, "bcrypt_sha256$$2b$08$abcdefghijklmnopqrstuupLPKbD36O4eVfSf2q0SkYyD0MQIlqVS"},
	{"bcrypt_sha256, 2a", battery, "bcrypt_sha256$$2a$04$Zm9vYmFyYmF6cXV4cXV1eOP2jfQhD.VmS5EfDf2dcYdfoT4mcVinS"},
	{"bcrypt_sha256, letters beyond ASCII", cyrillic, "bcrypt_sha256$$2b$04$Zm9vYmFyYmF6cXV4cXV1eOSBnVOq6NZXVJ7c2NVSfNVfox.jq9OFu"},
	{"bcrypt_sha256, 80 bytes", aLot, "bcrypt_sha256$$2b$04$Zm9vYmFyYmF6cXV4cXV1eOPPjZoZdDGeeTzoRfus45mxn3OgIMqyy"},
	{"bcrypt", battery, "bcrypt$$2b$05$Zm9vYmFyYmF6cXV4cXV1eOM.hpCwMJGiSjb4Y9p/bWGmyOtTtI/GO"},
	{"bcrypt, 2a, letters beyond ASCII", cyrillic, "bcrypt$$2a$04$Zm9vYmFyYmF6cXV4cXV1eOaE27NJumpkU4RZp7rx97HQH5gBokSxi"},
	{"bcrypt, 2y", battery, "bcrypt$$2y$04$Zm9vYmFyYmF6cXV4cXV1eO7KMrRR8v75IoYSpTuYwVZUMCr1njvqe"},
	{"bcrypt, 71 bytes", aLot[:71], "bcrypt$$2b$04$Zm9vYmFyYmF6cXV4cXV1eOPFAUUVyuPbH..xu5Ey6lEm8vF46cmdu"},
	{"bcrypt, 80 bytes", aLot, bcryptOf72},
	{"bcrypt, 256 bytes", page, "bcrypt$$2b$04$Zm9vYmFyYmF6cXV4cXV1eONTdESDx1Bmfbz2WkuIUVcSsBvtzBaEO"},
	{"scrypt as Django 4.0 makes it", "lètmein", "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="},
	{"scrypt, p=5 as Django 5.1 has it", battery, "scrypt$1024$Wq3Zb7pXkR0vTn5sYd2LhM$8$5$hJQmn9rifti8VdCWhQg7RsUFI0ycGUyMK9/r/+yCEoezNZVbBsQfFy8gSj1yEgn0QqmPPtPAO8xwPNYnbMFjZw=="},
	{"scrypt, letters beyond ASCII", cyrillic, "scrypt$16$seasalt$1$2$JcTiiWexS/AZnmooaaUsNLI6ucS8FQDFskd6mYOi9SbWhiJhEu4DxZquhpBWNbTsL1AZcUXpiXq6vTkjXAg2+g=="},
	{"scrypt, 80 bytes", aLot, "scrypt$16$seasalt$8$1$G+9Sec60PtuA6XQXtC/Qg0bLTxJ/bsHEqMTCn/5aznYrUH6DptKUQGrWt0S0xJJbNTkuwIb+B30aKPrM2KCEBA=="},
}

// bcryptOf72 is Django's hash of aLot and of its first 72 bytes alike.
const bcryptOf72 = "bcrypt$$2b$04$Zm9vYmFyYmF6cXV4cXV1eODow/vtu/eQsjTSQtj5amPkdv9Atq.5O"

func TestVerifyReadsHashesOfDjango(t *testing.T) {
	// Present parameters below all of those above: they are stale all the same.
	h := newHasher(t, password.Options{Params: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1}})
	for _, test := range djangoHashes {
		t.Run(test.name, func(t *testing.T) {
			if got, want := verify(t, h, test.password, test.encoded), (password.Result{Match: true, Stale: true}); got != want {
				t.Errorf("right password: %+v, want %+v", got, want)
			}
			if got := verify(t, h, "x"+test.password, test.encoded); got != (password.Result{}) {
				t.Errorf("wrong password: %+v, want nothing", got)
			}
			if got := verify(t, h, test.password, "!"+test.encoded); got != (password.Result{}) {
				t.Errorf("disabled with a mark: %+v, want nothing", got)
			}
		})
	}
}

func TestOnlyPlainBcryptStopsAt72Bytes(t *testing.T) {
	h := newHasher(t, cheap())
	for _, test := range djangoHashes {
		if test.password != aLot {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			want := test.encoded == bcryptOf72
			if got := verify(t, h, aLot[:72], test.encoded).Match; got != want {
				t.Errorf("the first 72 bytes match: %t, want %t", got, want)
			}
			if verify(t, h, aLot[:71], test.encoded).Match {
				t.Error("the first 71 bytes matched")
			}
		})
	}
}

// What no password may be does not match a hash of Django either: a NUL in
// particular ends a password for some implementations of bcrypt.
func TestAnUnhashablePasswordMatchesNoHashOfDjango(t *testing.T) {
	h := newHasher(t, cheap())
	for _, test := range djangoHashes {
		if cost(t, test.encoded).dear() {
			continue // its format has cheaper ones here
		}
		for name, text := range map[string]string{"a NUL": "\x00", "no UTF-8": "\xff"} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				if verify(t, h, test.password+text, test.encoded).Match {
					t.Error("it matched")
				}
			})
		}
	}
}

func TestVerifyRefusesWhatIsNoHashOfDjango(t *testing.T) {
	const (
		sha256Hash = "pbkdf2_sha256$1000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A="
		sha1Hash   = "pbkdf2_sha1$1000$seasalt$Bsj5Rz809I6Da+uXyrkZyImKnTY="
		scryptHash = "scrypt$16$seasalt$8$1$G+9Sec60PtuA6XQXtC/Qg0bLTxJ/bsHEqMTCn/5aznYrUH6DptKUQGrWt0S0xJJbNTkuwIb+B30aKPrM2KCEBA=="
		crypt      = "$2b$04$Zm9vYmFyYmF6cXV4cXV1eOSBnVOq6NZXVJ7c2NVSfNVfox.jq9OFu"
		bcryptHash = "bcrypt_sha256$" + crypt
	)
	tests := []struct{ name, encoded string }{
		{"a name alone", "pbkdf2_sha256"},
		{"another case", "PBKDF2_SHA256" + sha256Hash[len("pbkdf2_sha256"):]},
		{"space in front", " " + sha256Hash},
		{"salted MD5", "md5$salt$d653ea7ea31e77b41041e7e3d32e3e4a"},
		{"bare MD5", "d653ea7ea31e77b41041e7e3d32e3e4a"},
		{"salted SHA-1", "sha1$salt$59b3e8d637cf97edbe2384cf59cb7453dfe30789"},
		{"crypt(3)", "crypt$$ab1234567890."},
		{"PBKDF2 with a digest of nobody's", "pbkdf2_sha512" + sha256Hash[len("pbkdf2_sha256"):]},

		{"PBKDF2, truncated", sha256Hash[:len(sha256Hash)-1]},
		{"PBKDF2, a group of base64 short", sha256Hash[:len(sha256Hash)-4]},
		{"PBKDF2, no tag", sha256Hash[:strings.LastIndexByte(sha256Hash, '$')]},
		{"PBKDF2, empty tag", sha256Hash[:strings.LastIndexByte(sha256Hash, '$')+1]},
		{"PBKDF2, tag of the other digest", strings.Replace(sha1Hash, "sha1", "sha256", 1)},
		{"PBKDF2, tag of the other digest, the other way", strings.Replace(sha256Hash, "sha256", "sha1", 1)},
		{"PBKDF2, field too many", sha256Hash + "$"},
		{"PBKDF2, fields swapped", strings.Replace(sha256Hash, "1000$seasalt", "seasalt$1000", 1)},
		{"PBKDF2, empty salt", strings.Replace(sha256Hash, "seasalt", "", 1)},
		{"PBKDF2, long salt", strings.Replace(sha256Hash, "seasalt", strings.Repeat("a", 65), 1)},
		{"PBKDF2, no padding", strings.TrimSuffix(sha256Hash, "=")},
		{"PBKDF2, stray bits", strings.Replace(sha256Hash, "X4A=", "X4B=", 1)},
		{"PBKDF2, line break at the end", sha256Hash + "\n"},
		{"PBKDF2, no iterations", strings.Replace(sha256Hash, "1000", "0", 1)},
		{"PBKDF2, negative", strings.Replace(sha256Hash, "1000", "-1000", 1)},
		{"PBKDF2, a sign", strings.Replace(sha256Hash, "1000", "+1000", 1)},
		{"PBKDF2, a leading zero", strings.Replace(sha256Hash, "1000", "01000", 1)},
		{"PBKDF2, an underscore", strings.Replace(sha256Hash, "1000", "1_000", 1)},
		{"PBKDF2, iterations for a second", strings.Replace(sha256Hash, "1000", "5000001", 1)},
		{"PBKDF2, iterations for hours", strings.Replace(sha256Hash, "1000", "4294967295", 1)},
		{"PBKDF2, more iterations than a number holds", strings.Replace(sha1Hash, "1000", "18446744073709551616", 1)},

		{"argon2, nothing in it", "argon2$"},
		{"argon2, two dollars", strings.Replace(reference, "$", "$$", 1)},
		{"argon2d", "argon2$argon2d$v=19$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$nNA50kNOvd3pF+zQZpYLag"},
		{"argon2id, version 16", "argon2$argon2id$v=16$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$gpiNRu8jshu2pxyGkgT88A"},
		{"argon2i, version 16", "argon2$argon2i$v=16$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$DL9S7x+Ddu+JX1ICY4zLVA"},
		{"argon2i, version 16 unnamed", "argon2$argon2i$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$DL9S7x+Ddu+JX1ICY4zLVA"},
		{"argon2i without Django's name in front", "$argon2i$v=19$m=512,t=2,p=2$alQ4bVFlMlZ4TGM2$/OGCsFxv33ppyVG3gdNWVA"},
		{"argon2id, empty salt", strings.Replace(reference, "c2Vhc2FsdDg", "", 1)},
		{"argon2id, more than 128 MiB", strings.Replace(reference, "m=64", "m=131073", 1)},
		{"argon2id, passes for hours", strings.Replace(reference, "t=2", "t=4294967295", 1)},
		{"argon2i, 4 TiB", strings.Replace(strings.Replace(reference, "argon2id", "argon2i", 1), "m=64", "m=4294967295", 1)},
		{"argon2i, no lanes", strings.Replace(strings.Replace(reference, "argon2id", "argon2i", 1), "p=4", "p=0", 1)},

		{"bcrypt, truncated", bcryptHash[:len(bcryptHash)-1]},
		{"bcrypt, longer", bcryptHash + "u"},
		{"bcrypt, one dollar", "bcrypt_sha256" + crypt},
		{"bcrypt, without Django's name in front", crypt},
		{"bcrypt, the broken 2x", strings.Replace(bcryptHash, "2b", "2x", 1)},
		{"bcrypt, version 3", strings.Replace(bcryptHash, "2b", "3b", 1)},
		{"bcrypt, another alphabet", strings.Replace(bcryptHash, ".", "+", 1)},
		{"bcrypt, line break at the end", bcryptHash[:len(bcryptHash)-1] + "\n"},
		{"bcrypt, empty salt", "bcrypt_sha256$$2b$04$SBnVOq6NZXVJ7c2NVSfNVfox.jq9OFu"},
		{"bcrypt, cost below its least", strings.Replace(bcryptHash, "$04$", "$03$", 1)},
		{"bcrypt, cost of one digit", strings.Replace(bcryptHash, "$04$", "$4$", 1)},
		{"bcrypt, cost of seconds", strings.Replace(bcryptHash, "$04$", "$15$", 1)},
		{"bcrypt, cost of days", strings.Replace(bcryptHash, "$04$", "$31$", 1)},

		{"scrypt, truncated", scryptHash[:len(scryptHash)-4]},
		{"scrypt, longer", scryptHash[:len(scryptHash)-2] + "AA"},
		{"scrypt, no tag", scryptHash[:strings.LastIndexByte(scryptHash, '$')]},
		{"scrypt, field too many", scryptHash + "$"},
		{"scrypt, salt at its place elsewhere", strings.Replace(scryptHash, "16$seasalt$8$1", "16$8$1$seasalt", 1)},
		{"scrypt, empty salt", strings.Replace(scryptHash, "seasalt", "", 1)},
		{"scrypt, N is 0", strings.Replace(scryptHash, "16$", "0$", 1)},
		{"scrypt, N is 1", strings.Replace(scryptHash, "16$", "1$", 1)},
		{"scrypt, N is no power of two", strings.Replace(scryptHash, "16$", "24$", 1)},
		{"scrypt, N as a power", strings.Replace(scryptHash, "16$", "2^4$", 1)},
		{"scrypt, r is 0", strings.Replace(scryptHash, "$8$1$", "$0$1$", 1)},
		{"scrypt, p is 0", strings.Replace(scryptHash, "$8$1$", "$8$0$", 1)},
		{"scrypt, negative p", strings.Replace(scryptHash, "$8$1$", "$8$-1$", 1)},
		{"scrypt, more than 128 MiB", strings.Replace(scryptHash, "16$", "262144$", 1)},
		{"scrypt, huge N", strings.Replace(scryptHash, "16$", "1073741824$", 1)},
		{"scrypt, more than a number holds", strings.Replace(scryptHash, "16$", "18446744073709551616$", 1)},
		{"scrypt, huge r", strings.Replace(scryptHash, "$8$1$", "$1073741823$1$", 1)},
		{"scrypt, huge p", strings.Replace(scryptHash, "$8$1$", "$8$1073741823$", 1)},
		{"scrypt, much memory, much p", strings.Replace(scryptHash, "16$seasalt$8$1$", "131072$seasalt$8$3$", 1)},
		{"scrypt, N times r beyond 64 bits", strings.Replace(scryptHash, "16$seasalt$8$1$", "1073741824$seasalt$2147483647$2147483647$", 1)},
		{"scrypt, a megabyte of salt", strings.Replace(scryptHash, "seasalt", strings.Repeat("a", 1<<20), 1)},
	}
	h := newHasher(t, cheap())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := h.Verify(t.Context(), battery, test.encoded)
			if !errors.Is(err, password.ErrMalformed) || got != (password.Result{}) {
				t.Errorf("Verify = %+v, %v, want nothing and ErrMalformed", got, err)
			}
			if err != nil && strings.Contains(err.Error(), test.encoded) {
				t.Errorf("the error repeats what was stored: %v", err)
			}
		})
	}
}

func TestCostlyHashesOfDjangoAreRead(t *testing.T) {
	for _, encoded := range []string{
		"pbkdf2_sha256$1200000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",                                        // Django 6.0's default
		"bcrypt_sha256$$2b$12$Zm9vYmFyYmF6cXV4cXV1eOM.hpCwMJGiSjb4Y9p/bWGmyOtTtI/GO",                                        // its default
		"scrypt$16384$seasalt$8$5$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==", // its default
		"pbkdf2_sha256$5000000$seasalt$JgZryXe2Ga8ysg6XbzkLpTdyPQrHqsinbL9BnnhgX4A=",
		"bcrypt$$2b$14$Zm9vYmFyYmF6cXV4cXV1eOM.hpCwMJGiSjb4Y9p/bWGmyOtTtI/GO",
		"argon2$argon2id$v=19$m=131072,t=8,p=64$c2Vhc2FsdDg$eDZtFABL5t5yvmKR2VBChSkuJ70VjBbfjkEmYh9eKvI",
		"scrypt$131072$seasalt$8$2$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
		"scrypt$32768$seasalt$32$2$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==",
	} {
		if _, err := password.Parse(encoded); err != nil {
			t.Errorf("%s: %v", encoded, err)
		}
	}
}

// The hashes of Django wait for a slot as ours do.
func TestHashesOfDjangoRunInTheSlots(t *testing.T) {
	o := cheap()
	o.Slots, o.Queue, o.QueueTimeout = 1, -1, time.Minute
	h := newHasher(t, o)
	holding, release := make(chan struct{}), make(chan struct{})
	h.SetDerive(func(_, _ []byte, _, _ uint32, _ uint8, length uint32) []byte {
		close(holding)
		<-release
		return make([]byte, length)
	})
	done := make(chan error)
	go func() { done <- h.VerifyNothing(t.Context(), battery) }()
	<-holding
	for _, test := range djangoHashes {
		if _, err := h.Verify(t.Context(), test.password, test.encoded); !errors.Is(err, password.ErrBusy) {
			t.Errorf("%s: Verify error = %v, want ErrBusy while the slot is taken", test.name, err)
		}
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// readCost is what checking a stored hash costs.
type readCost password.Read

func cost(t testing.TB, encoded string) readCost {
	t.Helper()
	read, err := password.Parse(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return readCost(read)
}

// dear tells whether it takes more than some milliseconds.
func (c readCost) dear() bool {
	return c.Iterations > 1000 || c.BcryptRoundsLog2 > 4 || c.N*c.R*c.P > 1<<12 || c.Params.Iterations*c.Params.MemoryKiB > 1<<10
}

// excess tells which bound is passed, or nothing.
func (c readCost) excess() string {
	p := c.Params
	switch {
	case p.MemoryKiB > 128<<10 || uint64(p.MemoryKiB)*uint64(p.Iterations) > 1<<20 || p.Parallelism > 64:
		return fmt.Sprintf("argon2 %+v", p)
	case c.Iterations > 5_000_000:
		return fmt.Sprintf("%d iterations", c.Iterations)
	case c.BcryptRoundsLog2 > 14:
		return fmt.Sprintf("bcrypt cost %d", c.BcryptRoundsLog2)
	case c.R > 32 || c.P > 64 || c.N*c.R*128 > 128<<20 || c.N*c.R*c.P*128 > 256<<20:
		return fmt.Sprintf("scrypt N=%d r=%d p=%d", c.N, c.R, c.P)
	}
	return ""
}

func FuzzVerify(f *testing.F) {
	for _, hash := range referenceHashes {
		f.Add(hash.encoded)
	}
	for _, hash := range djangoHashes {
		f.Add(hash.encoded)
	}
	f.Add("")
	f.Add("!")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Add("v=19$m=70,t=1,p=1$00000000000$000000000000000000000000")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$c29tZXNhbHQ")
	f.Add("scrypt$1073741824$seasalt$2147483647$2147483647$")
	f.Add("bcrypt$$2b$31$Zm9vYmFyYmF6cXV4cXV1eOM.hpCwMJGiSjb4Y9p/bWGmyOtTtI/GO")
	f.Add("pbkdf2_sha1$4294967295$seasalt$Bsj5Rz809I6Da+uXyrkZyImKnTY=")

	f.Fuzz(func(t *testing.T, encoded string) {
		if encoded != "" && encoded[0] != '!' {
			read, err := password.Parse(encoded)
			if err != nil && !errors.Is(err, password.ErrMalformed) {
				t.Fatalf("error = %v, want none or ErrMalformed", err)
			}
			if err == nil && read.Again != encoded {
				t.Errorf("%q was read as %q", encoded, read.Again)
			}
			if excess := readCost(read).excess(); excess != "" {
				t.Errorf("%q would cost %s", encoded, excess)
			}
			if readCost(read).dear() {
				return
			}
		}
		result, err := newHasher(t, cheap()).Verify(t.Context(), "a password of nobody", encoded)
		if err != nil && !errors.Is(err, password.ErrMalformed) {
			t.Fatalf("Verify error = %v, want none or ErrMalformed", err)
		}
		if result.Match {
			t.Fatalf("%q matched", encoded)
		}
	})
}
