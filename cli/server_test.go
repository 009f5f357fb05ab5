package cli_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// server is a `latchkey serve` that runs as a process of its own.
type server struct {
	address string // where it listens
	url     string // how to reach it

	process *exec.Cmd
	stdout  *os.File
	stderr  *bufio.Scanner
	log     strings.Builder // what was read of stderr
}

// startServer runs the command line and returns when the server listens. The caller ends it with stop or kill.
func startServer(dir string, environment []string, args ...string) (*server, error) {
	stdout, err := os.CreateTemp("", "stdout")
	if err != nil {
		return nil, err
	}
	s := &server{process: exec.Command(args[0], args[1:]...), stdout: stdout}
	s.process.Dir, s.process.Env, s.process.Stdout = dir, environment, stdout
	stderr, err := s.process.StderrPipe()
	if err != nil {
		return nil, err
	}
	s.stderr = bufio.NewScanner(stderr)
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	line, err := s.awaitLog("listening")
	if err != nil {
		s.kill()
		return nil, err
	}
	var entry struct {
		Address string
		TLS     bool
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		s.kill()
		return nil, fmt.Errorf("log line: %w", err)
	}
	_, port, err := net.SplitHostPort(entry.Address)
	if err != nil {
		s.kill()
		return nil, err
	}
	s.address = entry.Address
	s.url = "http://127.0.0.1:" + port
	if entry.TLS {
		s.url = "https://127.0.0.1:" + port
	}
	return s, nil
}

// awaitLog reads the log up to a message and returns its line.
func (s *server) awaitLog(message string) (string, error) {
	for s.stderr.Scan() {
		s.log.WriteString(s.stderr.Text() + "\n")
		if strings.Contains(s.stderr.Text(), `"msg":"`+message) {
			return s.stderr.Text(), nil
		}
	}
	return "", fmt.Errorf("the server ended before it logged %q:\n%s", message, s.log.String())
}

// printed returns what the server has written to standard output.
func (s *server) printed() string {
	content, err := os.ReadFile(s.stdout.Name())
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// signal sends the process a signal.
func (s *server) signal(sig os.Signal) error { return s.process.Process.Signal(sig) }

// wait returns the exit status of a server that ends by itself.
func (s *server) wait() (int, error) {
	for s.stderr.Scan() {
		s.log.WriteString(s.stderr.Text() + "\n")
	}
	err := s.process.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return 0, err
	}
	return s.process.ProcessState.ExitCode(), errors.Join(s.stdout.Close(), os.Remove(s.stdout.Name()))
}

// stop asks the server to end, as a supervisor does, and returns its exit status.
func (s *server) stop() (int, error) {
	if err := s.signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return s.wait()
}

// kill ends the server if it still runs.
func (s *server) kill() {
	if s.process.ProcessState != nil {
		return
	}
	_ = s.signal(os.Kill)
	_, _ = s.wait()
}
