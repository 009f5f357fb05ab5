// Load measures what a request costs the server: CPU time, the figure that a busy machine moves least. It starts the
// server and, beside it, a bare net/http handler, sends the same number of requests to both in turns, and reads their
// user and system time from the kernel. `make load` runs it; docs/performance.md says how to read what it prints. With
// -storm it measures something else: how long guarded requests take while many clients sign in; `make storm` runs that.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const password = "correct horse battery"

func main() {
	log.SetFlags(0)
	bare := flag.Bool("bare", false, "serve the bare handler; for the program's own use")
	binary := flag.String("latchkey", "bin/latchkey", "the server's binary")
	database := flag.String("database", "", "the database's URL; empty: a new SQLite file")
	rounds := flag.Int("rounds", 3, "how often each scenario is measured; the median counts")
	connections := flag.Int("connections", 32, "connections that send at once")
	requests := flag.Int("requests", 20_000, "requests a round; a hundredth of it for sign-ins")
	storm := flag.Int("storm", 0, "connections that sign in without a pause; other than 0: measure that alone")
	seconds := flag.Int("seconds", 10, "how long the storm is measured, each round")
	flag.Parse()
	if *bare {
		log.Fatal(serveBare())
	}
	if *storm > 0 {
		if err := runStorm(*binary, *database, *rounds, *storm, time.Duration(*seconds)*time.Second); err != nil {
			log.Fatal("load: ", err)
		}
		return
	}
	if err := run(*binary, *database, *rounds, *connections, *requests); err != nil {
		log.Fatal("load: ", err)
	}
}

// serveBare is the floor: a handler that reads a JSON body and answers one.
func serveBare() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("\"address\":%q\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Query string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"protected":"This view is protected"}}`)
	}))
}

// scenario is one kind of request.
type scenario struct {
	name   string
	server *server
	share  int // the requests are divided by it
	send   func(worker int) error
}

func run(binary, database string, rounds, connections, requests int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	const oneCore = "GOMAXPROCS=1"
	floor, err := start(self, []string{"-bare"}, []string{oneCore})
	if err != nil {
		return fmt.Errorf("start the bare handler: %w", err)
	}
	defer floor.stop()
	latchkey, err := serve(binary, database, oneCore)
	if err != nil {
		return err
	}
	defer latchkey.stop()

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	scenarios, err := scenarios(client, floor, latchkey, connections)
	if err != nil {
		return err
	}
	cost := make([][]float64, len(scenarios))
	for round := range rounds {
		for i, s := range scenarios {
			us, err := measure(s, connections, requests)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 || rounds == 1 { // the first warms up
				cost[i] = append(cost[i], us)
			}
		}
	}
	fmt.Printf("%-34s %14s %10s\n", "", "CPU µs/request", "× bare")
	for i, s := range scenarios {
		fmt.Printf("%-34s %14.1f %10.2f\n", s.name, median(cost[i]), median(cost[i])/median(cost[0]))
	}
	rss, err := latchkey.memory("VmRSS")
	if err != nil {
		return err
	}
	fmt.Printf("resident memory of the server after it: %d MiB\n", rss>>20)
	return nil
}

func scenarios(client *http.Client, floor, latchkey *server, connections int) ([]scenario, error) {
	ask := func(s *server, query, access string) ([]byte, error) { return post(client, s.url, query, access) }
	pair := func() (access, refresh string, err error) {
		body, err := ask(latchkey, signIn, "")
		if err != nil {
			return "", "", err
		}
		return tokens(body)
	}
	access, _, err := pair()
	if err != nil {
		return nil, err
	}
	sessions := make([]string, connections)
	for i := range sessions {
		if _, sessions[i], err = pair(); err != nil {
			return nil, err
		}
	}
	want := func(s *server, query, text string) func(int) error {
		return func(int) error {
			body, err := ask(s, query, access)
			if err == nil && !bytes.Contains(body, []byte(text)) {
				err = errors.New(string(body))
			}
			return err
		}
	}
	return []scenario{
		{"bare net/http, JSON in and out", floor, 1, want(floor, "{ protected }", "This view is protected")},
		{"protected query", latchkey, 1, want(latchkey, "{ protected }", "This view is protected")},
		{"who am I", latchkey, 1, want(latchkey, "{ me { id username } }", `"ada"`)},
		{"refresh", latchkey, 10, func(worker int) error {
			body, err := ask(latchkey, `mutation { t: tokenRefresh(refresh: "`+sessions[worker]+`") { access refresh } }`, "")
			if err == nil {
				_, sessions[worker], err = tokens(body)
			}
			return err
		}},
		{"sign-in", latchkey, 100, func(int) error {
			_, _, err := pair()
			return err
		}},
	}, nil
}

// measure sends the requests and returns the server's CPU time for each, in microseconds.
func measure(s scenario, connections, requests int) (float64, error) {
	each := requests / s.share / connections
	before, err := s.server.cpu()
	if err != nil {
		return 0, err
	}
	errs := make(chan error, connections)
	var group sync.WaitGroup
	for worker := range connections {
		group.Go(func() {
			for range each {
				if err := s.send(worker); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return 0, err
	}
	after, err := s.server.cpu()
	if err != nil {
		return 0, err
	}
	return float64((after - before).Microseconds()) / float64(each*connections), nil
}

func post(client *http.Client, url, query, access string) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func tokens(body []byte) (access, refresh string, err error) {
	var answer struct {
		Data struct {
			T struct{ Access, Refresh string }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Data.T.Access == "" {
		return "", "", fmt.Errorf("no tokens in %s", body)
	}
	return answer.Data.T.Access, answer.Data.T.Refresh, nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// server is a process under load.
type server struct {
	command *exec.Cmd
	url     string
	folder  string // removed with it
}

// serve starts the server with one user, on a new SQLite file where database is empty.
func serve(binary, database string, more ...string) (*server, error) {
	folder, err := os.MkdirTemp("", "latchkey-load")
	if err != nil {
		return nil, err
	}
	if database == "" {
		database = "sqlite:" + filepath.Join(folder, "latchkey.db")
	}
	settings := append([]string{
		"LATCHKEY_DATABASE_URL=" + database, "LATCHKEY_ADDR=127.0.0.1:0", "LATCHKEY_LOG_FORMAT=json", "LATCHKEY_ANONYMOUS_RATE=0",
		"LATCHKEY_SECRET_KEY=a secret key of the load run alone, made of words",
	}, more...)
	if err := addUser(binary, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	s, err := start(binary, []string{"serve"}, settings)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", binary, err), os.RemoveAll(folder))
	}
	s.folder = folder
	return s, nil
}

func environment(settings []string) []string {
	return append([]string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, settings...)
}

func addUser(binary string, settings []string) error {
	c := exec.Command(binary, "createsuperuser", "--username", "ada", "--password-stdin")
	c.Env, c.Stdin = environment(settings), strings.NewReader(password+"\n")
	if out, err := c.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("already exists")) {
		return fmt.Errorf("createsuperuser: %w: %s", err, out)
	}
	return nil
}

// start starts the program and waits until it says where it listens, on either output.
func start(program string, args, settings []string) (*server, error) {
	c := exec.Command(program, args...)
	c.Env = environment(settings)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		return nil, err
	}
	w.Close()
	address := regexp.MustCompile(`"address":"(127\.0\.0\.1:\d+)"`)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, r) // the access log is written, and read
			return &server{command: c, url: "http://" + m[1]}, nil
		}
	}
	return nil, errors.Join(errors.New("it did not listen"), c.Wait())
}

func (s *server) stop() {
	_ = s.command.Process.Signal(os.Interrupt)
	_ = s.command.Wait()
	_ = os.RemoveAll(s.folder)
}

// cpu returns the user and system time of the process so far (proc_pid_stat(5), fields 14 and 15).
func (s *server) cpu() (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	var ticks int64
	for _, text := range fields[11:13] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ is 100 on Linux
}

// memory returns a figure of proc_pid_status(5) in bytes: VmRSS is what is resident, VmHWM the most that ever was.
func (s *server) memory(figure string) (int64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(figure + `:\s+(\d+) kB`).FindSubmatch(content)
	if m == nil {
		return 0, errors.New("no " + figure)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kb << 10, err
}
