package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"latchkey/app"
	"latchkey/auth/password"
	"latchkey/config"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

// patience bounds how long a test waits for what must come. It fails when nothing does.
const patience = 20 * time.Second

// hasty makes a server lose its patience soon.
func hasty(c *config.Settings) {
	c.ReadHeaderTimeout, c.ReadTimeout, c.OperationTimeout, c.WriteTimeout = time.Second, 1500*time.Millisecond, time.Second, 2*time.Second
	c.IdleTimeout, c.ShutdownTimeout = 1200*time.Millisecond, 3*time.Second
	c.MaxHeaderBytes = 8 << 10
}

// plainAndTLS runs a test with a plain server and with one that speaks TLS. dial connects to it, for HTTP/1.1.
func plainAndTLS(t *testing.T, test func(t *testing.T, dial func() net.Conn), change ...func(*config.Settings)) {
	t.Run("plain", func(t *testing.T) {
		s := testkit.Listen(t, testdb.SQLite(t), append([]func(*config.Settings){hasty}, change...)...)
		test(t, func() net.Conn { return dial(t, s.Address) })
	})
	t.Run("TLS", func(t *testing.T) {
		pair := newKeyPair(t, 90*day, "127.0.0.1")
		s := testkit.Listen(t, testdb.SQLite(t), append([]func(*config.Settings){hasty, servingTLS(t, pair)}, change...)...)
		test(t, func() net.Conn { return dialTLS(t, s.Address, pair) })
	})
}

// dial connects to a server. The connection ends by itself when a test waits too long.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // the test has seen what it wanted
	deadline := time.Now().Add(patience)
	if err := conn.SetDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	return conn
}

func dialTLS(t *testing.T, address string, pair keyPair, protocols ...string) *tls.Conn {
	t.Helper()
	trust := pair.trust()
	trust.ServerName, trust.NextProtos = "127.0.0.1", protocols
	conn := tls.Client(dial(t, address), trust)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// anything says that it does not matter what a server says at the end: of a header that is cut off it may be that the
// last line was whole or not.
const anything = "anything"

// wantEnd fails the test unless the server ends the connection, having sent what is wanted and no more. A server that
// ends it while the client is still sending makes that an error of the network.
func wantEnd(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the connection is still open after %s; it said %q", patience, got)
	}
	if want == anything {
		return
	}
	if want == "" && len(got) > 0 || !strings.HasPrefix(string(got), want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// drip sends one byte after the other until the server has enough.
func drip(conn net.Conn, text string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		<-tick.C
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
	}
}

const (
	typename  = `{"query":"{ __typename }"}`
	typenames = `{"data":{"__typename":"Query"}}`
)

// posting returns a request with the first bytes of a body.
func posting(body string, length int) string {
	return fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: latchkey\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body)
}

func TestSlowClientsAreCutOff(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, dial func() net.Conn) {
		type played struct {
			conn net.Conn
			want string
		}
		all := map[string]played{} // at the same time
		for name, play := range map[string]func(t *testing.T, conn net.Conn) (want string){
			"one that says nothing": func(*testing.T, net.Conn) string { return "" },
			"one that stops in the first line": func(t *testing.T, conn net.Conn) string {
				send(t, conn, "POST /gra")
				return "HTTP/1.1 400 Bad Request\r\n"
			},
			"one that drips its header": func(t *testing.T, conn net.Conn) string {
				send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nA: ")
				go drip(conn, "a")
				return ""
			},
			"one that drips header after header": func(t *testing.T, conn net.Conn) string {
				send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\n")
				go drip(conn, "a:b\r\n")
				return anything
			},
			"one that stops in the body": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting(typename[:5], len(typename)))
				return "HTTP/1.1 408 Request Timeout\r\n"
			},
			"one that drips its body": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting("", 1000))
				go drip(conn, " ")
				return "HTTP/1.1 408 Request Timeout\r\n"
			},
			"one that drips a body in chunks": func(t *testing.T, conn net.Conn) string {
				send(t, conn, "POST /graphql HTTP/1.1\r\nHost: latchkey\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
				go drip(conn, "1\r\n \r\n")
				return "HTTP/1.1 408 Request Timeout\r\n"
			},
			"one that drips a body in REST": func(t *testing.T, conn net.Conn) string {
				send(t, conn, strings.Replace(posting("", 1000), "/graphql", "/api/token/", 1))
				go drip(conn, " ")
				return "HTTP/1.1 408 Request Timeout\r\n"
			},
			"one that drips a body nobody wants": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting("", 100<<20))
				go drip(conn, " ")
				return "HTTP/1.1 413 Request Entity Too Large\r\n"
			},
			"one that drips a body where none is read": func(t *testing.T, conn net.Conn) string {
				send(t, conn, strings.Replace(posting("", 1000), "/graphql", "/healthz", 1))
				go drip(conn, " ")
				return "HTTP/1.1 405 Method Not Allowed\r\n"
			},
			"one that goes on after the answer, slowly": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting(typename, len(typename))+posting("", 1000))
				go drip(conn, " ")
				return "HTTP/1.1 200 OK\r\n"
			},
			"one that drips a header after the answer": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting(typename, len(typename))+"GET /healthz HTTP/1.1\r\n")
				go drip(conn, "a")
				return "HTTP/1.1 200 OK\r\n"
			},
			"one that keeps the connection for later": func(t *testing.T, conn net.Conn) string {
				send(t, conn, posting(typename, len(typename)))
				return "HTTP/1.1 200 OK\r\n"
			},
		} {
			conn := dial()
			all[name] = played{conn, play(t, conn)}
		}
		for name, p := range all {
			t.Run(name, func(t *testing.T) { wantEnd(t, p.conn, p.want) })
		}
	})
}

// A client that reads nothing of what it asks for holds its connection for LATCHKEY_WRITE_TIMEOUT and no longer.
func TestOneThatDoesNotReadIsCutOff(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		request := "GET /graphiql/assets/LICENSES.txt HTTP/1.1\r\nHost: latchkey\r\n\r\n"
		for {
			// It asks until the server, which cannot write, reads no more; then until that has closed the connection.
			_, err := io.WriteString(conn, request)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the connection is still open after %s", patience)
			}
			if err != nil {
				return
			}
		}
	})
}

func TestHugeHeadersAreRefused(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, dial func() net.Conn) {
		const tooLarge = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
		for name, text := range map[string]string{
			"a long first line":   "GET /graphql?query=" + strings.Repeat("a", 13<<10),
			"one long field":      "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nA: " + strings.Repeat("a", 13<<10),
			"many fields":         "GET /healthz HTTP/1.1\r\nHost: latchkey\r\n" + strings.Repeat("a:b\r\n", (13<<10)/5),
			"many of one cookie":  "GET /healthz HTTP/1.1\r\nHost: latchkey\r\n" + strings.Repeat("Cookie: a=b\r\n", (13<<10)/13),
			"many hops":           "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nX-Forwarded-For: " + strings.Repeat("1.1.1.1,", (13<<10)/8),
			"a long access token": "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nAuthorization: Bearer " + strings.Repeat("a.", (13<<10)/2),
		} {
			conn := dial()
			send(t, conn, text)
			t.Run(name, func(t *testing.T) { wantEnd(t, conn, tooLarge) })
		}
		t.Run("a million fields", func(t *testing.T) {
			conn := dial()
			send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\n")
			batch := strings.Repeat("a:b\r\n", 1000)
			taken := 0
			for range 1000 {
				n, err := io.WriteString(conn, batch)
				taken += n
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the connection is still open")
				}
				if err != nil {
					return // the server has closed it
				}
			}
			// All of it went into buffers of the system before the connection was closed; the server has read no more.
			wantEnd(t, conn, tooLarge)
		})
		t.Run("a header within the bound", func(t *testing.T) {
			conn := dial()
			send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nConnection: close\r\nA: "+strings.Repeat("a", 7<<10)+"\r\n\r\n")
			wantEnd(t, conn, "HTTP/1.1 200 OK\r\n")
		})
	})
}

// A client that sends a body of megabytes before it reads gets the refusal, and no error of the network.
func TestARefusedBodyIsAnsweredReadably(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, dial func() net.Conn) {
		for _, path := range []string{"/graphql", "/api/token/"} {
			for _, connection := range []string{"close", "keep-alive"} {
				conn := dial()
				const size = 8 << 20
				head := strings.Replace(posting("", size), "/graphql", path, 1)
				send(t, conn, strings.Replace(head, "Host:", "Connection: "+connection+"\r\nHost:", 1))
				send(t, conn, strings.Repeat(" ", size))
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("%s, %s: %v", path, connection, err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close() //nolint:errcheck // it was read
				if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || len(body) == 0 {
					t.Errorf("%s, %s: got %d %s, %v", path, connection, response.StatusCode, body, err)
				}
			}
		}
	})
}

func TestRequestsOnOneConnectionAreAnsweredInOrder(t *testing.T) {
	plainAndTLS(t, func(t *testing.T, dial func() net.Conn) {
		conn := dial()
		const n = 50
		var requests strings.Builder
		for i := range n {
			body := fmt.Sprintf(`{"query":"{ a%d: __typename }"}`, i)
			requests.WriteString(posting(body, len(body)))
		}
		send(t, conn, requests.String())
		answers := bufio.NewReader(conn)
		for i := range n {
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close() //nolint:errcheck // it was read
			if want := fmt.Sprintf(`{"data":{"a%d":"Query"}}`, i); err != nil || string(body) != want {
				t.Fatalf("got %s, %v, want %s", body, err, want)
			}
		}
	})
}

// Beyond LATCHKEY_MAX_CONNECTIONS a client waits until another one has gone, or was sent away for doing nothing.
func TestAFloodOfConnectionsWaits(t *testing.T) {
	s := testkit.Listen(t, testdb.SQLite(t), func(c *config.Settings) { c.MaxConnections = 3 })
	for range 3 {
		conn := dial(t, s.Address)
		send(t, conn, posting(typename, len(typename)))
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	waiting := dial(t, s.Address)
	send(t, waiting, posting(typename, len(typename)))
	soon := time.Now().Add(200 * time.Millisecond)
	if err := waiting.SetReadDeadline(soon); err != nil {
		t.Fatal(err)
	}
	if n, err := waiting.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a fourth connection is served: %d, %v", n, err)
	}

	hurried := testkit.Listen(t, testdb.SQLite(t), hasty, func(c *config.Settings) { c.MaxConnections = 3 })
	for range 6 {
		dial(t, hurried.Address)
	}
	conn := dial(t, hurried.Address)
	send(t, conn, posting(typename, len(typename)))
	wantEnd(t, conn, "HTTP/1.1 200 OK\r\n")
}

// client2 returns a client that speaks HTTP/2 with a server, over TLS.
func client2(t *testing.T, pair keyPair) *http.Client {
	transport := &http.Transport{TLSClientConfig: pair.trust(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// endless is a body that begins and never ends.
func endless(t *testing.T, begin string) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // a pipe
	go io.WriteString(w, begin)     //nolint:errcheck // a pipe
	return r
}

func TestHTTP2IsServedOverTLS(t *testing.T) {
	pair := newKeyPair(t, 90*day, "127.0.0.1")
	s := testkit.Listen(t, testdb.SQLite(t), servingTLS(t, pair))
	ask := func(body io.Reader) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Address+"/graphql", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := client2(t, pair).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // it was read
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, string(content)
	}
	response, body := ask(strings.NewReader(typename))
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK || body != typenames {
		t.Errorf("got %s %d %s", response.Proto, response.StatusCode, body)
	}
	if got := response.TLS.NegotiatedProtocol; got != "h2" {
		t.Errorf("negotiated %q", got)
	}
	if response, body := ask(strings.NewReader(strings.Repeat(" ", 4<<20))); response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: got %d %s", response.StatusCode, body)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	pair := newKeyPair(t, 90*day, "127.0.0.1")
	s := testkit.Listen(t, testdb.SQLite(t), servingTLS(t, pair))
	for version, served := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		trust := pair.trust()
		trust.ServerName, trust.MinVersion, trust.MaxVersion = "127.0.0.1", tls.VersionTLS10, version
		err := tls.Client(dial(t, s.Address), trust).HandshakeContext(t.Context())
		if (err == nil) != served {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestPlainHTTPOnThePortOfTLSIsToldSo(t *testing.T) {
	s := testkit.Listen(t, testdb.SQLite(t), hasty, servingTLS(t, newKeyPair(t, 90*day, "127.0.0.1")))
	conn := dial(t, s.Address)
	send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\n\r\n")
	wantEnd(t, conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
}

// HTTP/2 without TLS is off: it is for proxies, and those that speak it speak HTTP/1.1 too.
func TestHTTP2IsNotServedWithoutTLS(t *testing.T) {
	s := testkit.Listen(t, testdb.SQLite(t), hasty)
	conn := dial(t, s.Address)
	send(t, conn, http2.ClientPreface)
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 505 ") && !strings.HasPrefix(string(got), "HTTP/1.1 4") {
		t.Errorf("with prior knowledge: got %q, %v", got, err)
	}
	conn = dial(t, s.Address)
	send(t, conn, "GET /healthz HTTP/1.1\r\nHost: latchkey\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	wantEnd(t, conn, "HTTP/1.1 200 OK\r\n")
}

// framed is a connection of HTTP/2, frame by frame.
type framed struct {
	*http2.Framer
	conn net.Conn
}

// frames connects to a server and says what begins every connection.
func frames(t *testing.T, address string, pair keyPair) framed {
	t.Helper()
	conn := dialTLS(t, address, pair, "h2")
	send(t, conn, http2.ClientPreface)
	f := framed{http2.NewFramer(conn, conn), conn}
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// headers returns the fields of a request, encoded.
func headers(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) //nolint:errcheck // a buffer
	}
	return b.Bytes()
}

func requestFor(method, path string) []byte {
	return headers(":method", method, ":scheme", "https", ":authority", "latchkey", ":path", path, "content-type", "application/json")
}

func TestSlowClientsAreCutOffOverHTTP2(t *testing.T) {
	pair := newKeyPair(t, 90*day, "127.0.0.1")
	s := testkit.Listen(t, testdb.SQLite(t), hasty, servingTLS(t, pair))
	t.Run("one that asks nothing", func(t *testing.T) {
		t.Parallel()
		wantEnd(t, frames(t, s.Address, pair).conn, "\x00")
	})
	t.Run("one that stops in a frame", func(t *testing.T) {
		t.Parallel()
		f := frames(t, s.Address, pair)
		send(t, f.conn, "\x00\x10\x00\x01\x04\x00\x00\x00\x01aaaa") // 4096 bytes of HEADERS
		wantEnd(t, f.conn, "\x00")
	})
	t.Run("one that drips its header in frames", func(t *testing.T) {
		t.Parallel()
		f := frames(t, s.Address, pair)
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: requestFor("GET", "/healthz")}); err != nil {
			t.Fatal(err)
		}
		go drip(f.conn, "\x00\x00\x01\x09\x00\x00\x00\x00\x01\x82") // CONTINUATION, a byte of it
		wantEnd(t, f.conn, "\x00")
	})
	t.Run("one that never ends its body", func(t *testing.T) {
		t.Parallel()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Address+"/graphql", endless(t, `{"query":`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := client2(t, pair).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // nothing was written
		if response.StatusCode != http.StatusRequestTimeout {
			t.Errorf("got %s", response.Status)
		}
	})
	t.Run("one that gives no room for the answer", func(t *testing.T) {
		t.Parallel()
		f := frames(t, s.Address, pair)
		if err := f.WriteHeaders(http2.HeadersFrameParam{
			StreamID: 1, BlockFragment: requestFor("GET", "/graphiql/assets/LICENSES.txt"), EndStream: true, EndHeaders: true,
		}); err != nil {
			t.Fatal(err)
		}
		for { // it answers pings, so that it is not cut off for that
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("the stream was not reset: %v", err)
			}
			switch frame := frame.(type) {
			case *http2.PingFrame:
				if err := f.WritePing(true, frame.Data); err != nil {
					t.Fatal(err)
				}
			case *http2.RSTStreamFrame:
				return
			}
		}
	})
}

func TestRequestsOfOneConnectionOfHTTP2AreBounded(t *testing.T) {
	pair := newKeyPair(t, 90*day, "127.0.0.1")
	s := testkit.Listen(t, testdb.SQLite(t), hasty, servingTLS(t, pair))
	f := frames(t, s.Address, pair)
	frame, err := f.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("got %v", frame)
	}
	for id, want := range map[http2.SettingID]uint32{
		http2.SettingMaxConcurrentStreams: 100, http2.SettingMaxFrameSize: 16 << 10,
	} {
		if got, _ := settings.Value(id); got != want {
			t.Errorf("%s is %d, want %d", id, got, want)
		}
	}

	t.Run("a header that is too long", func(t *testing.T) {
		f := frames(t, s.Address, pair)
		long := headers(":method", "GET", ":scheme", "https", ":authority", "latchkey", ":path", "/healthz", "a", strings.Repeat("\x01", 14<<10))
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: long, EndStream: true, EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
		f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return // the connection was ended
			}
			switch frame := frame.(type) {
			case *http2.MetaHeadersFrame:
				if got := frame.PseudoValue("status"); got != "431" {
					t.Errorf("got %s", got)
				}
				return
			case *http2.GoAwayFrame:
				return
			}
		}
	})

	t.Run("requests that are taken back at once", func(t *testing.T) {
		f := frames(t, s.Address, pair)
		go io.Copy(io.Discard, f.conn) //nolint:errcheck // until the end of the connection
		for id := uint32(1); id < 20_000; id += 2 {
			request := http2.HeadersFrameParam{StreamID: id, BlockFragment: requestFor("POST", "/graphql"), EndHeaders: true}
			if f.WriteHeaders(request) != nil || f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				break // the server has had enough
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.Address+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client2(t, pair).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() //nolint:errcheck // nothing was written
		if response.StatusCode != http.StatusOK {
			t.Errorf("others are answered %s", response.Status)
		}
	})
}

// A shutdown lets the requests that are under way end, whichever protocol they came by.
func TestAShutdownFinishesWhatIsUnderWayOverTLS(t *testing.T) {
	for name, forced := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			pair := newKeyPair(t, 90*day, "127.0.0.1")
			s := testkit.Listen(t, testdb.SQLite(t), servingTLS(t, pair))
			transport := &http.Transport{TLSClientConfig: pair.trust(), ForceAttemptHTTP2: forced, ExpectContinueTimeout: patience}
			body, rest := io.Pipe()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Address+"/graphql", body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Expect", "100-continue") // the client sends the body when the handler reads it
			type result struct {
				proto, body string
				err         error
			}
			done := make(chan result, 1)
			go func() {
				response, err := transport.RoundTrip(r)
				if err != nil {
					done <- result{err: err}
					return
				}
				defer response.Body.Close() //nolint:errcheck // it was read
				content, err := io.ReadAll(response.Body)
				done <- result{response.Proto, string(content), err}
			}()
			send(t, rest, typename[:5]) // so the request is under way
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop() }()
			refused(t, s.Address)
			send(t, rest, typename[5:])
			if err := rest.Close(); err != nil {
				t.Fatal(err)
			}
			got := <-done
			if got.err != nil || got.proto != name || got.body != typenames {
				t.Errorf("got %+v", got)
			}
			transport.CloseIdleConnections()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// refused returns when nobody listens at the address any more.
func refused(t *testing.T, address string) {
	t.Helper()
	for {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			return
		}
		conn.Close() //nolint:errcheck // nothing was written
	}
}

// What does not end within LATCHKEY_SHUTDOWN_TIMEOUT is cut off.
func TestAShutdownEnds(t *testing.T) {
	s := testkit.Listen(t, testdb.SQLite(t), func(c *config.Settings) { c.ShutdownTimeout = 100 * time.Millisecond })
	conn := dial(t, s.Address)
	send(t, conn, strings.Replace(posting("", len(typename)), "Host:", "Expect: 100-continue\r\nHost:", 1))
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// A server that runs takes the new certificate by itself, and connections from before go on.
func TestAServerThatRunsShowsTheNewCertificate(t *testing.T) {
	first, second := newKeyPair(t, 90*day, "127.0.0.1"), newKeyPair(t, 90*day, "127.0.0.1")
	settings := testkit.Settings(t, testdb.SQLite(t))
	settings.Addr = "127.0.0.1:0"
	settings.TLSCertFile, settings.TLSKeyFile = first.files(t)
	changed := make(chan struct{})
	log := slog.New(messages(func(text string) {
		if text == "the certificate has changed" {
			close(changed)
		}
	}))
	a, err := app.Open(t.Context(), app.Options{
		Settings: settings, Logger: log, Now: func() time.Time { return noon },
		Hashing: password.Params{MemoryKiB: 8, Iterations: 1, Parallelism: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close() //nolint:errcheck // the test is over
	l, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx, l) }()
	address := l.Addr().String()
	before := dialTLS(t, address, first)
	write(t, settings.TLSCertFile, string(second.cert))
	write(t, settings.TLSKeyFile, string(second.key))
	<-changed
	if err := dialTLS(t, address, second).Close(); err != nil {
		t.Fatal(err)
	}
	send(t, before, strings.Replace(posting(typename, len(typename)), "Host:", "Connection: close\r\nHost:", 1))
	wantEnd(t, before, "HTTP/1.1 200 OK\r\n")
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// messages is a handler that is told the text of each line.
type messages func(string)

func (messages) Enabled(context.Context, slog.Level) bool { return true }
func (f messages) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}
func (f messages) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f messages) WithGroup(string) slog.Handler      { return f }
