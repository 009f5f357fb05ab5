package auth

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/auth/keys"
	"latchkey/auth/token"
	"latchkey/models"
)

// signer returns a Service that can sign and verify, at a time that the test moves.
func signer(t *testing.T, now *time.Time) *Service {
	t.Helper()
	key, err := keys.Generate("ES256", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return *now }
	s, err := New(Options{
		Keys: keys.NewLive(ring, nil), Codec: token.New(token.Options{Now: clock, Issuer: "us", Audience: "them"}),
		Now: clock, Random: rand.Reader, AccessLifetime: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t *testing.T, s *Service, user models.User) (access, refresh string) {
	t.Helper()
	session := models.Session{
		ID: "0123456789abcdef0123456789abcdef", Generation: 7, LastUsedAt: s.Now(),
		ExpiresAt: s.Now().Add(time.Hour + 300*time.Millisecond).In(time.FixedZone("", 3600)),
	}
	access, _, err := s.access(user, session, nil, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	if refresh, err = s.refresh(user, session, nil); err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func TestWhatIsRememberedOfATokenIsWhatItSays(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 500_000_000, time.UTC)
	s := signer(t, &now)
	for name, user := range map[string]models.User{
		"with roles": {ID: 3, Epoch: 5, Roles: []models.Role{{Name: "writer"}, {Name: "reader"}}},
		"without":    {ID: 4},
	} {
		access, refresh := signed(t, s, user)
		for raw, m := range map[string]*memory{access: s.verified, refresh: s.refreshTokens} {
			known, ok := m.get(raw)
			said, err := s.Codec.Parse(t.Context(), raw, s.Keys.Lookup)
			if !ok || err != nil {
				t.Fatalf("%s: known %v, %v", name, ok, err)
			}
			if d := cmp.Diff(said, known.claims, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s, %s (-said +known):\n%s", name, said.Kind, d)
			}
		}
		if _, ok := s.refreshTokens.get(access); ok {
			t.Errorf("%s: an access token is known as a refresh token", name)
		}
		if _, ok := s.verified.get(refresh); ok {
			t.Errorf("%s: a refresh token is known as an access token", name)
		}
	}
}

func TestATokenThatWasRememberedExpires(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	s := signer(t, &now)
	access, refresh := signed(t, s, models.User{ID: 3})
	now = now.Add(time.Hour - time.Second)
	if _, ok := s.verified.get(access); ok {
		t.Error("an access token is known after its expiry")
	}
	if _, ok := s.refreshTokens.get(refresh); !ok {
		t.Error("a refresh token is not known before its expiry")
	}
	now = now.Add(time.Second)
	if _, ok := s.refreshTokens.get(refresh); ok {
		t.Error("a refresh token is known at its expiry")
	}
}

func TestNoTokenIsRememberedFromBeforeAChangeOfTheKeys(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	s := signer(t, &now)
	access, refresh := signed(t, s, models.User{ID: 3})
	during := s.refreshTokens.era.Load()
	claims, err := s.parseRefresh(t.Context(), refresh)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.reloadKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.refreshTokens.add(refresh, claims, during) // by one who was signing it meanwhile
	if _, ok := s.verified.get(access); ok {
		t.Error("the access token is known")
	}
	if _, ok := s.refreshTokens.get(refresh); ok {
		t.Error("the refresh token is known")
	}
}
