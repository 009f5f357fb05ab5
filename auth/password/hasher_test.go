package password_test

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/password"
)

// cheap returns options whose hashes cost next to nothing.
func cheap() password.Options {
	return password.Options{Params: password.Params{MemoryKiB: 16, Iterations: 2, Parallelism: 1}}
}

func newHasher(t testing.TB, o password.Options) *password.Hasher {
	t.Helper()
	h, err := password.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hash(t testing.TB, h *password.Hasher, plain string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), plain)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func verify(t testing.TB, h *password.Hasher, plain, encoded string) password.Result {
	t.Helper()
	result, err := h.Verify(t.Context(), plain, encoded)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestHashWritesTheDefaultParameters(t *testing.T) {
	got := hash(t, newHasher(t, password.Options{}), "correct horse battery staple")
	// 16 bytes of salt and 32 of tag, in base64 without padding.
	want := regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	if !want.MatchString(got) {
		t.Errorf("Hash = %q, want it to match %v", got, want)
	}
}

func TestHashTakesItsSaltFromTheGivenRandomness(t *testing.T) {
	o := password.Options{
		Params: password.Params{MemoryKiB: 64, Iterations: 3, Parallelism: 4},
		Random: strings.NewReader("sixteenbytesalt!"),
	}
	got := hash(t, newHasher(t, o), "correct horse battery staple")
	want := "$argon2id$v=19$m=64,t=3,p=4$c2l4dGVlbmJ5dGVzYWx0IQ$qo5uRLlsu1pPWw8DVOQ1m2HX7OKCDG8gn6Gu5deG650"
	if got != want {
		t.Errorf("Hash = %q, want what the reference implementation writes, %q", got, want)
	}
}

func TestHashesOfOnePasswordDiffer(t *testing.T) {
	h := newHasher(t, cheap())
	if first, second := hash(t, h, "open sesame"), hash(t, h, "open sesame"); first == second {
		t.Errorf("two hashes are both %q", first)
	}
}

func TestVerifyComparesPasswordsAsTheyWereSent(t *testing.T) {
	h := newHasher(t, cheap())
	tests := []struct {
		name, hashed, sent string
		want               bool
	}{
		{"the same", "correct horse", "correct horse", true},
		{"a space at the end", "correct horse", "correct horse ", false},
		{"a space in front", "correct horse", " correct horse", false},
		{"another case", "correct horse", "Correct horse", false},
		{"composed and decomposed", "caf\u00e9 au lait", "cafe\u0301 au lait", false},
		{"a compatible character", "ﬁnal answer", "final answer", false},
		{"the longest, whole", strings.Repeat("🔑", password.MaxLength), strings.Repeat("🔑", password.MaxLength), true},
		{"the longest, less its last character", strings.Repeat("🔑", password.MaxLength), strings.Repeat("🔑", password.MaxLength-1), false},
		{"beyond the 72 bytes that bcrypt reads", strings.Repeat("a", 72) + "b", strings.Repeat("a", 72) + "c", false},
		{"empty", "correct horse", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := verify(t, h, test.sent, hash(t, h, test.hashed)).Match; got != test.want {
				t.Errorf("Match = %t, want %t", got, test.want)
			}
		})
	}
}

// notHashable are texts that are no password.
var notHashable = map[string]string{
	"not UTF-8":            "correct\xffhorse",
	"a NUL":                "correct\x00horse",
	"a character too many": strings.Repeat("é", password.MaxLength+1),
	"eight million bytes":  strings.Repeat("a", 8<<20),
}

func TestHashRefusesWhatIsNoPassword(t *testing.T) {
	h := newHasher(t, cheap())
	for name, text := range notHashable {
		t.Run(name, func(t *testing.T) {
			if got, err := h.Hash(t.Context(), text); !errors.Is(err, password.ErrNotHashable) {
				t.Errorf("Hash = %q, %v, want ErrNotHashable", got, err)
			}
		})
	}
}

func TestHashFailsIfRandomnessDoes(t *testing.T) {
	o := cheap()
	broken := errors.New("no entropy")
	o.Random = iotest.ErrReader(broken)
	if got, err := newHasher(t, o).Hash(t.Context(), "open sesame"); !errors.Is(err, broken) || got != "" {
		t.Errorf("Hash = %q, %v, want the reader's error", got, err)
	}
}

func TestVerifyTellsStaleHashes(t *testing.T) {
	const plain = "open sesame"
	present := password.Options{Params: password.Params{MemoryKiB: 64, Iterations: 3, Parallelism: 2}}
	tests := []struct {
		name   string
		params password.Params
		want   bool
	}{
		{"the present parameters", password.Params{MemoryKiB: 64, Iterations: 3, Parallelism: 2}, false},
		{"less memory", password.Params{MemoryKiB: 63, Iterations: 3, Parallelism: 2}, true},
		{"fewer passes", password.Params{MemoryKiB: 64, Iterations: 2, Parallelism: 2}, true},
		{"fewer lanes", password.Params{MemoryKiB: 64, Iterations: 3, Parallelism: 1}, true},
		{"more memory, fewer passes", password.Params{MemoryKiB: 128, Iterations: 2, Parallelism: 2}, true},
		{"more of everything", password.Params{MemoryKiB: 128, Iterations: 4, Parallelism: 4}, false},
	}
	h := newHasher(t, present)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			encoded := hash(t, newHasher(t, password.Options{Params: test.params}), plain)
			want := password.Result{Match: true, Stale: test.want}
			if diff := cmp.Diff(want, verify(t, h, plain, encoded)); diff != "" {
				t.Errorf("right password (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(password.Result{}, verify(t, h, "wrong", encoded)); diff != "" {
				t.Errorf("wrong password (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("short salt and tag", func(t *testing.T) {
		weak := newHasher(t, password.Options{Params: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1}})
		for _, reference := range referenceHashes[:2] { // a salt of eight bytes
			if got := verify(t, weak, reference.password, reference.encoded); !got.Match || !got.Stale {
				t.Errorf("Verify(%s) = %+v, want a stale match", reference.name, got)
			}
		}
	})
}

// work is what one hash costs.
type work struct {
	Params     password.Params
	SaltLength int
	TagLength  uint32
}

func TestEveryRefusalCostsTheSameWork(t *testing.T) {
	o := cheap()
	h := newHasher(t, o)
	stored := hash(t, h, "open sesame")
	want := []work{{Params: o.Params, SaltLength: 16, TagLength: 32}}

	var got []work
	h.SetDerive(func(_, salt []byte, passes, memory uint32, lanes uint8, length uint32) []byte {
		got = append(got, work{password.Params{MemoryKiB: memory, Iterations: passes, Parallelism: lanes}, len(salt), length})
		return make([]byte, length) // what a dummy's tag is: it must not match all the same
	})
	verifying := func(plain, encoded string) func(ctx context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) {
			result, err := h.Verify(ctx, plain, encoded)
			return result.Match, err
		}
	}
	tests := map[string]func(ctx context.Context) (bool, error){
		"wrong password":             verifying("close sesame", stored),
		"empty password":             verifying("", stored),
		"no user":                    func(ctx context.Context) (bool, error) { return false, h.VerifyNothing(ctx, "open sesame") },
		"no user, empty password":    func(ctx context.Context) (bool, error) { return false, h.VerifyNothing(ctx, "") },
		"no hash":                    verifying("open sesame", ""),
		"unusable hash":              verifying("open sesame", "!Zm9vYmFyYmF6"),
		"hash disabled by a mark":    verifying("open sesame", "!"+stored),
		"unusable hash and password": verifying("\x00", "!"),
	}
	for name, text := range notHashable {
		tests[name] = verifying(text, stored)
		tests["no user, "+name] = func(ctx context.Context) (bool, error) { return false, h.VerifyNothing(ctx, text) }
	}
	for name, refuse := range tests {
		t.Run(name, func(t *testing.T) {
			got = nil
			match, err := refuse(t.Context())
			if match || err != nil {
				t.Errorf("match = %t, error = %v, want neither", match, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("work done (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnhashablePasswordNeverMatches(t *testing.T) {
	h := newHasher(t, cheap())
	// What is hashed in its place is the empty password.
	stored := hash(t, h, "")
	for name, text := range notHashable {
		t.Run(name, func(t *testing.T) {
			if verify(t, h, text, stored).Match {
				t.Error("it matched")
			}
		})
	}
}

func TestNewRefusesOptionsOutOfRange(t *testing.T) {
	tests := []struct {
		name    string
		options password.Options
		want    string
	}{
		{"no passes", password.Options{Params: password.Params{MemoryKiB: 64, Parallelism: 1}}, "iterations"},
		{"no lanes", password.Options{Params: password.Params{MemoryKiB: 64, Iterations: 1}}, "parallelism"},
		{"too many lanes", password.Options{Params: password.Params{MemoryKiB: 1024, Iterations: 1, Parallelism: 65}}, "parallelism"},
		{"too little memory", password.Options{Params: password.Params{MemoryKiB: 7, Iterations: 1, Parallelism: 1}}, "memory"},
		{"too much memory", password.Options{Params: password.Params{MemoryKiB: 128<<10 + 1, Iterations: 1, Parallelism: 1}}, "memory"},
		{"too much work", password.Options{Params: password.Params{MemoryKiB: 128 << 10, Iterations: 9, Parallelism: 1}}, "iterations"},
		{"negative slots", password.Options{Slots: -1}, "slots"},
		{"negative timeout", password.Options{QueueTimeout: -time.Second}, "queue timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := password.New(test.options); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New error = %v, want one about %s", err, test.want)
			}
		})
	}
}

func TestWhatNewAcceptsCanBeReadAgain(t *testing.T) {
	for _, params := range []password.Params{
		{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
		{MemoryKiB: 128 << 10, Iterations: 8, Parallelism: 1},
		{MemoryKiB: 512, Iterations: 2048, Parallelism: 64},
	} {
		h := newHasher(t, password.Options{Params: params})
		h.SetDerive(func(plain, _ []byte, _, _ uint32, _ uint8, length uint32) []byte {
			return bytes.Repeat(plain[:1], int(length))
		})
		if got, want := verify(t, h, "open sesame", hash(t, h, "open sesame")), (password.Result{Match: true}); got != want {
			t.Errorf("with %+v: Verify = %+v, want %+v", params, got, want)
		}
	}
}

func TestReadable(t *testing.T) {
	for stored, want := range map[string]bool{
		"":      true,
		"!abc":  true,
		"plain": false,
		"md5$salt$0123456789abcdef0123456789abcdef":                                              false,
		"pbkdf2_sha256$1000$salt$AAAA":                                                           false, // cut off
		"pbkdf2_sha256$1000$Wq3Zb7pXkR0vTn5sYd2LhM$YwZzL1JMx4iAPwt5OvjUdxMysw9uyZU3bMuzhiBLwW8=": true,
	} {
		if got := password.Readable(stored); got != want {
			t.Errorf("%q is readable: %t, want %t", stored, got, want)
		}
	}
}
