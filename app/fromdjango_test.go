package app_test

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The example is a script to read, and it does what it says.
func TestTheExampleFromDjango(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("skipped: %s is not installed", tool)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil { // the script's server takes it
		t.Fatal(err)
	}
	script := exec.CommandContext(t.Context(), "../examples/from-django/run")
	script.Env = append(os.Environ(), "LATCHKEY_ADDR="+address)
	script.Stderr = t.Output()
	out, err := script.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(`== import
users: 2 new, 0 updated, 0 unchanged
roles: 1 new, 0 updated, 0 unchanged
superusers: 0 new, 0 no longer

== Ada's old access token
{"content":"This view is protected"}
== Ada's old password
{"refresh":"TOKEN","access":"TOKEN"}
== Grace's old refresh token
{"access":"TOKEN","refresh":"TOKEN"}
== who Ada is over GraphQL, with the same old access token
{"data":{"me":{"id":"41","username":"ada","isStaff":true,"roles":[{"name":"editors","permissions":["articles.change_article"]}]}}}`, "\n")
	got := regexp.MustCompile(`eyJ[\w-]+…`).ReplaceAllString(string(out), "TOKEN")
	if diff := cmp.Diff(want, strings.Split(got, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
