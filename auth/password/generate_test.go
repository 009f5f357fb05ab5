package password_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"latchkey/auth/password"
)

func TestGenerate(t *testing.T) {
	const runs = 500
	shape := regexp.MustCompile(`^[a-z0-9]{6}(-[a-z0-9]{6}){3}$`)
	policy := password.NewPolicy()
	admin := password.Attributes{Username: "admin", Email: "admin@example.com"}
	seen := make(map[string]bool)
	characters := make(map[rune]int)
	for range runs {
		got, err := password.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !shape.MatchString(got) {
			t.Fatalf("Generate = %q, want it to match %v", got, shape)
		}
		if i := strings.IndexAny(got, "0o1il2z5s"); i >= 0 {
			t.Errorf("Generate = %q has an ambiguous character", got)
		}
		if problems := policy.Check(got, admin); problems != nil {
			t.Errorf("Generate = %q: %v", got, problems)
		}
		if seen[got] {
			t.Errorf("Generate = %q twice", got)
		}
		seen[got] = true
		for _, r := range strings.ReplaceAll(got, "-", "") {
			characters[r]++
		}
	}
	if bits := 24 * math.Log2(float64(len(characters))); bits < 100 {
		t.Errorf("%d different characters make %.0f bits, want 100 or more", len(characters), bits)
	}
	// 444 of each on average, with a standard deviation of 21.
	for r, n := range characters {
		if n < 300 || n > 600 {
			t.Errorf("%q came %d times of %d", r, n, runs*24)
		}
	}
}

func TestGenerateFollowsTheGivenRandomness(t *testing.T) {
	// 243 and above would favour the first letters, and are skipped.
	random := append([]byte{255, 243, 0, 250, 26, 27, 242}, bytes.Repeat([]byte{1}, 20)...)
	got, err := password.Generate(bytes.NewReader(random))
	if want := "a9a9bb-bbbbbb-bbbbbb-bbbbbb"; got != want || err != nil {
		t.Errorf("Generate = %q, %v, want %q", got, err, want)
	}
}

func TestGenerateFailsIfRandomnessDoes(t *testing.T) {
	broken := errors.New("no entropy")
	random := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken))
	if got, err := password.Generate(random); !errors.Is(err, broken) || got != "" {
		t.Errorf("Generate = %q, %v, want the reader's error", got, err)
	}
}
