package username_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"latchkey/auth/username"
)

func TestNamesThatLookAlikeShareASkeleton(t *testing.T) {
	for _, group := range [][]string{
		{
			"admin", "Admin", "ADMIN", "AdMiN",
			"аdmin",          // Cyrillic a
			"ａｄｍｉｎ", "ＡＤＭＩＮ", // full width
			"𝐚𝐝𝐦𝐢𝐧", "𝔄𝔡𝔪𝔦𝔫", // mathematical
			"adm1n", "admln", // 1 and l for i
			"adrnin",                  // rn for m
			"admın",                   // dotless i
			"ΑDΜΙΝ",                   // Greek A, M, I and N
			"АDМІN",                   // Cyrillic A, M and I
			"ad\u3164min",             // Hangul filler
			"admin\u200b",             // zero width space
			"a\u2060dm\ufe0fin",       // word joiner, variation selector
			"ADMIN\U000e0041",         // tag
			"\u202eadmin\u202c",       // overrides of direction
			"ᎪᎠᎷIN", "ꭺꭰꮇin", "ꓮꓓꓟꓲꓠ", // Cherokee, Lisu
			"\U0001d400DM\u0399N", // several at once
		},
		{"paypal", "paypaI", "PayPal", "PAYPAL", "раураl", "рауРАӏ", "paypa1"},
		{"google", "g00gle", "gооgle", "GOOGLE", "goog1e", "gοοgle", "ɡoogle"},
		{"Tom", "Тom", "TОМ", "torn", "том", "t0m"},
		{"Nick", "Νick", "NІСК", "nісk"},
		{"Bob", "Βob", "Вob", "ВОВ", "b0b"},
		{"Yves", "Υves", "Yvеs", "уvеs"},
		{"Helen", "Ηelen", "Нelen", "НELEN"},
		{"Νίκος", "νίκος", "ΝΊΚΟΣ", "νίκοσ"},
		{"straße", "STRASSE", "strasse", "STRAẞE"},
		{"René", "RENÉ", "Rene\u0301", "rеné"},
		{"jane_doe", "JANE_DOE", "jаnе_dое"},
	} {
		want := username.Skeleton(group[0])
		for _, name := range group[1:] {
			if got := username.Skeleton(name); got != want {
				t.Errorf("Skeleton(%q) = %q, want %q as of %q", name, got, want, group[0])
			}
		}
	}
}

func TestNamesThatDifferHaveSkeletonsThatDo(t *testing.T) {
	names := []string{
		"admin", "admin2", "admins", "adm.in", "admin.", "admin-", "admin_", "admin+", "admin@", "àdmin",
		"jane", "june", "janet", "nina", "vina", "yves", "uves", "bob", "rob", "ssob",
		"user2", "user3", "user4", "user5", "user6", "user7", "user8", "user9", "user0", "user1",
		"anna.b", "anna_b", "anna-b", "annab",
		"иван", "ирина", "νίκος", "王小明", "王小名", "maria", "mario",
	}
	seen := make(map[string]string)
	for _, name := range names {
		key := username.Skeleton(name)
		if other, ok := seen[key]; ok {
			t.Errorf("%q and %q share the skeleton %q", other, name, key)
		}
		seen[key] = name
	}
}

// Anything more than this would refuse honest names, letter for letter.
func TestTheOnlyASCIICharactersAlikeAreThoseOfUTS39(t *testing.T) {
	groups := make(map[string]string)
	for r := range rune(unicode.MaxASCII) {
		if c := string(r); username.Check(c) == nil {
			groups[username.Skeleton(c)] += c
		}
	}
	got := slices.Sorted(maps.Values(groups))
	var want []string
	for c := 'A'; c <= 'Z'; c++ {
		if !strings.ContainsRune("ILO", c) {
			want = append(want, string(c)+string(unicode.ToLower(c)))
		}
	}
	want = append(want, "2", "3", "4", "5", "6", "7", "8", "9", "1ILil", "0Oo", "@", ".", "+", "-", "_")
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestSkeletonOfEveryCharacter(t *testing.T) {
	const (
		most  = 21      // bytes for a character
		every = 41      // of the scripts with thousands of characters, one in so many
		limit = 0x20000 // beyond are such scripts only
	)
	failures := 0
	fail := func(format string, args ...any) {
		t.Errorf(format, args...)
		if failures++; failures > 20 {
			t.Fatal("and so on")
		}
	}
	for r := range rune(limit) {
		large := unicode.In(r, unicode.Han, unicode.Hangul, unicode.Tangut)
		if large && r%every != 0 || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) {
			continue
		}
		c := string(r)
		key := username.Skeleton(c)
		if again := username.Skeleton(key); again != key {
			fail("%U: the skeleton of %q is %q, want itself", r, key, again)
		}
		if other := string(unicode.SimpleFold(r)); other != c && username.Skeleton(other) != key {
			fail("%U: %q and %q differ in case only, and their skeletons are %q and %q", r, c, other, key, username.Skeleton(other))
		}
		if username.Normalize(c) == c && len(key) > most {
			fail("%U: the skeleton %q has %d bytes, want %d or fewer", r, key, len(key), most)
		}
	}
}

func TestSkeletonOfWhatIsNoNameIsItself(t *testing.T) {
	for _, name := range []string{"", "Ａ\xff", "Ａ\x00", strings.Repeat("Ａ", 151), strings.Repeat("A", 8<<20)} {
		if got := username.Skeleton(name); got != name {
			t.Errorf("Skeleton(%.20q…) = %.20q…, want it unchanged", name, got)
		}
	}
}

// Skeletons are stored. Whoever changes one of these must change
// SkeletonVersion, and have the stored ones computed anew.
func TestSkeletonsStayWhatTheyAreInAVersion(t *testing.T) {
	if got, want := username.SkeletonVersion, "1-uts39-15.0.0"; got != want {
		t.Fatalf("SkeletonVersion = %q, want %q: set this and the skeletons below", got, want)
	}
	want := map[string]string{
		"Admin":        "adrnln",
		"jane.doe+1@x": "jane.doe+l@x",
		"Жанна":        "жahha",
		"Νίκος":        "nl\u0301koo",
		"Straße":       "strasse",
		"王小明":          "王小明",
		"مريم":         "مر\u0649م",
		"수":            "\u1109\u116e",
	}
	got := make(map[string]string)
	for name := range want {
		got[name] = username.Skeleton(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("skeletons (-want +got):\n%s", diff)
	}
}

func FuzzUsername(f *testing.F) {
	for _, name := range []string{
		"admin", "аdmin", "ａｄｍｉｎ", "ADMIΝ", "", "jane\x00", "jane\xff", "ΐ", "ŉ", "ﷺ", "İstanbul", "ǰ", "ß", "ẞ", "\u3164", "q\u0301\u0327",
		strings.Repeat("e\u0301", 75), strings.Repeat("\ufdfa", 9), "a" + strings.Repeat("\u0301", 40), "가각힣", "\u1100\u1161\u11a8",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		stored := username.Normalize(name)
		if again := username.Normalize(stored); again != stored {
			t.Errorf("Normalize(%q) = %q, but of that %q", name, stored, again)
		}
		key := username.Skeleton(name)
		if again := username.Skeleton(key); again != key {
			t.Errorf("Skeleton(%q) = %q, but of that %q", name, key, again)
		}
		if other := username.Skeleton(stored); other != key {
			t.Errorf("Skeleton(%q) = %q, but of its stored form %q", name, key, other)
		}
		if utf8.ValidString(name) && !(utf8.ValidString(stored) && utf8.ValidString(key)) {
			t.Errorf("%q became %q and %q, which are not UTF-8", name, stored, key)
		}
		if username.Check(name) == nil {
			if !username.Plausible(name) || !username.Plausible(stored) {
				t.Errorf("Check takes %q, which is not plausible", name)
			}
			if problems := username.Check(stored); problems != nil {
				t.Errorf("Check takes %q, but of its stored form %q it says %v", name, stored, problems)
			}
			if key == "" {
				t.Errorf("Check takes %q, of which nothing can be seen", name)
			}
			if upper := strings.ToUpper(name); username.Check(upper) == nil && username.Skeleton(upper) != key {
				t.Errorf("Skeleton(%q) = %q, but of %q %q", name, key, upper, username.Skeleton(upper))
			}
		}
	})
}

func BenchmarkSkeleton(b *testing.B) {
	for _, name := range []string{"jane.doe@example.com", strings.Repeat("Ж", username.MaxLength)} {
		b.Run(fmt.Sprintf("%d characters", utf8.RuneCountInString(name)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				username.Skeleton(name)
			}
		})
	}
}
