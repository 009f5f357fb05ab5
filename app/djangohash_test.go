package app_test

import (
	"strings"
	"testing"

	"latchkey/internal/testkit"
	"latchkey/models"
)

// djangoHashes are hashes of testkit.Password by Django 3.2.25, argon2-cffi, bcrypt and, for scrypt, hashlib of Python.
var djangoHashes = map[string]models.Secret{
	"pbkdf2_sha256": "pbkdf2_sha256$1000$Wq3Zb7pXkR0vTn5sYd2LhM$YwZzL1JMx4iAPwt5OvjUdxMysw9uyZU3bMuzhiBLwW8=",
	"pbkdf2_sha1":   "pbkdf2_sha1$1000$Wq3Zb7pXkR0vTn5sYd2LhM$Zaz5mBW4mtb1zlOwPtB++GSnBcI=",
	"argon2":        "argon2$argon2id$v=19$m=512,t=2,p=2$V3EzWmI3cFhrUjB2VG41c1lkMkxoTQ$pAl7MKZhJMKOBlk4jUAXbA",
	"bcrypt_sha256": "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuFABy..DpKi5eX.TjDW.8iDMNk/Tma6W",
	"bcrypt":        "bcrypt$$2b$05$Zm9vYmFyYmF6cXV4cXV1eOM.hpCwMJGiSjb4Y9p/bWGmyOtTtI/GO",
	"scrypt":        "scrypt$16$Wq3Zb7pXkR0vTn5sYd2LhM$8$1$pQ3Qcqx2/I/t+f8lyD0e0vmvRXkhKYOmGzCAUD0CRtkQcu83hBmIbZrRLJpJ+JRNCRQ2wmDOe8km3rSU64VdQQ==",
}

func TestAUserOfDjangoSignsInAndIsHashedAnew(t *testing.T) {
	testkit.Each(t, func(t *testing.T, s *testkit.Server) {
		for name, imported := range djangoHashes {
			t.Run(name, func(t *testing.T) {
				user := models.User{
					Username: name, UsernameKey: name, PasswordHash: imported, IsActive: true, DateJoined: s.Clock.Now(),
				}
				if err := s.App.Store.CreateUser(t.Context(), &user); err != nil {
					t.Fatal(err)
				}
				stored := func() models.Secret {
					t.Helper()
					u, err := s.App.Store.UserByID(t.Context(), user.ID)
					if err != nil {
						t.Fatal(err)
					}
					return u.PasswordHash
				}

				_, a := s.Obtain(name, testkit.Password+"x")
				a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
				if stored() != imported {
					t.Error("a wrong password changed the hash")
				}
				access := s.SignIn(name).Access
				renewed := stored()
				if !strings.HasPrefix(string(renewed), "$argon2id$") {
					t.Error("the sign-in left the hash as Django made it")
				}
				if a := s.Protected("Bearer " + access); len(a.Errors) > 0 {
					t.Errorf("the access token of that sign-in is refused: %s", a.Body)
				}
				s.SignIn(name)
				if stored() != renewed {
					t.Error("the second sign-in hashed the password again")
				}
			})
		}
		t.Run("a hash of a format that nobody reads", func(t *testing.T) {
			old := models.User{Username: "old", UsernameKey: "old", PasswordHash: "md5$salt$0123456789abcdef0123456789abcdef", IsActive: true, DateJoined: s.Clock.Now()}
			if err := s.App.Store.CreateUser(t.Context(), &old); err != nil {
				t.Fatal(err)
			}
			_, a := s.Obtain("old", testkit.Password)
			a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
		})
		t.Run("a hash disabled with a mark", func(t *testing.T) {
			disabled := models.User{
				Username: "grace", UsernameKey: "grace", PasswordHash: "!" + djangoHashes["pbkdf2_sha256"], IsActive: true,
				DateJoined: s.Clock.Now(),
			}
			if err := s.App.Store.CreateUser(t.Context(), &disabled); err != nil {
				t.Fatal(err)
			}
			_, a := s.Obtain("grace", testkit.Password)
			a.Refused(t, "INVALID_CREDENTIALS", "", noAccount)
		})
	})
}
