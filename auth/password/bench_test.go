package password_test

import (
	"strings"
	"testing"

	"latchkey/auth/password"
)

func BenchmarkHash(b *testing.B) {
	h := newHasher(b, password.Options{})
	b.ReportAllocs()
	for b.Loop() {
		hash(b, h, "correct horse battery staple")
	}
}

func BenchmarkVerify(b *testing.B) {
	h := newHasher(b, password.Options{})
	encoded := hash(b, h, "correct horse battery staple")
	b.ReportAllocs()
	for b.Loop() {
		verify(b, h, "correct horse battery staple", encoded)
	}
}

func BenchmarkCheck(b *testing.B) {
	policy := password.NewPolicy()
	about := password.Attributes{Username: "jane.doe", Email: "jane.doe@example.com", FirstName: "Jane", LastName: "Doe"}
	b.Run("ordinary", func(b *testing.B) {
		for b.Loop() {
			policy.Check("correct horse battery staple", about)
		}
	})
	b.Run("worst", func(b *testing.B) {
		long := strings.Repeat("aä🔑z", password.MaxLength/4)
		about := password.Attributes{
			Username:  strings.Repeat("a.", 75),
			Email:     strings.Repeat("ä.", 127),
			FirstName: strings.Repeat("z ", 75),
			LastName:  strings.Repeat("🔑 ", 75),
		}
		for b.Loop() {
			policy.Check(long, about)
		}
	})
}

func BenchmarkNewPolicy(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		password.NewPolicy()
	}
}
