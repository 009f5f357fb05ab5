package cli_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"latchkey/cli"
)

var update = flag.Bool("update", false, "rewrite ../schema.graphql")

// TestMain makes the test binary, under the name of a command, that command: tests and scripts run `latchkey` as a
// process of its own without building it.
func TestMain(m *testing.M) {
	// With the race detector every process would sleep for a second before it ends.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"latchkey": latchkey, "curl": curl})
}

// latchkey does what server.go does.
func latchkey() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Variables: os.Environ(),
	}))
}

// curl is as much of curl as is needed to run what `latchkey serve` prints: -s, -f, --cacert FILE, --resolve HOST:PORT:ADDRESS,
// -H HEADER, -d BODY and a URL.
func curl() {
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	r, fail, err := curlRequest(transport, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	if fail && response.StatusCode >= http.StatusBadRequest {
		fmt.Fprintln(os.Stderr, response.Status)
		os.Exit(22)
	}
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(18)
	}
}

func curlRequest(transport *http.Transport, args []string) (r *http.Request, fail bool, err error) {
	method, url, body, header := http.MethodGet, "", "", http.Header{}
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-s":
		case "-f":
			fail = true
		case "--cacert":
			i++
			pem, err := os.ReadFile(args[i])
			if err != nil {
				return nil, false, err
			}
			transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
		case "--resolve":
			i++
			parts := strings.Split(args[i], ":")
			transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == parts[0]+":"+parts[1] {
					address = parts[2] + ":" + parts[1]
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Add(name, value)
		case "-d":
			i++
			method, body = http.MethodPost, args[i]
		default:
			if strings.HasPrefix(args[i], "-") || url != "" {
				return nil, false, fmt.Errorf("curl: unexpected %s", args[i])
			}
			url = args[i]
		}
	}
	r, err = http.NewRequest(method, url, strings.NewReader(body))
	if err == nil {
		r.Header = header
	}
	return r, fail, err
}
