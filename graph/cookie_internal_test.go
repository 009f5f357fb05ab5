package graph

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzRefreshCookie sends anything as the Cookie header. What is read is one value that stands in it behind the name, or
// nothing; a second cookie of the name takes the first one's force, and a foreign page gets neither.
func FuzzRefreshCookie(f *testing.F) {
	for _, line := range []string{
		"", hostCookie + "=a.b.c", hostCookie + "=a; " + hostCookie + "=b", "a=b; " + hostCookie + `="quoted"`, hostCookie, hostCookie + "=",
		"$Version=1; " + hostCookie + "=a", ";;=;", hostCookie + "=a\x00b", strings.Repeat("a=b; ", 4000), hostCookie + "=" + strings.Repeat("a", 5000),
		"\t" + hostCookie + "\t=\ta", "__host-latchkey-refresh=a", loopbackCookie + "=a", hostCookie + "=a,b", hostCookie + "=a\n" + hostCookie + "=b",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		r := httptest.NewRequest(http.MethodPost, "https://auth.example.org/graphql", nil)
		r.Header["Cookie"] = strings.Split(lines, "\n")
		j := &jar{browsers: &Browsers{}, request: r}
		token, err := j.read()
		if err != nil && token != "" {
			t.Fatalf("a token and an error: %q, %v", token, err)
		}
		if !strings.Contains(lines, hostCookie) && (token != "" || err != nil) {
			t.Fatalf("without the name: %q, %v", token, err)
		}
		if token != "" && (len(token) > maxCookie || !strings.Contains(lines, token)) {
			t.Fatalf("it was not sent like this: %q", token)
		}
		if token != "" {
			r.Header["Cookie"] = append(r.Header["Cookie"], hostCookie+"=planted")
			if second, err := j.read(); err == nil || second != "" {
				t.Fatalf("beside a second one: %q", second)
			}
			r.Header["Cookie"] = strings.Split(lines, "\n")
		}
		r.Header.Set("Origin", "https://evil.example")
		if foreign, _ := j.read(); j.changed == nil && foreign != "" {
			t.Fatalf("a foreign page reads %q", foreign)
		}
		// Whatever was sent, the answer's own line is whole.
		j.put("a.b.c", time.Hour)
		if got := j.changed.String(); got != hostCookie+"=a.b.c; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict" {
			t.Fatalf("got %s", got)
		}
	})
}
