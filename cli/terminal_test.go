package cli_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// session is a command at a pseudo-terminal, as a person sees it.
type session struct {
	t       *testing.T
	process *exec.Cmd
	screen  *os.File // what is typed and shown
	shown   strings.Builder
}

func startSession(t *testing.T, dir string, args ...string) *session {
	t.Helper()
	process := exec.Command("latchkey", args...)
	process.Dir, process.Env = dir, environment()
	screen, err := pty.Start(process)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		screen.Close() //nolint:errcheck // nothing is left to do
		if process.ProcessState == nil {
			_ = process.Process.Kill()
			_ = process.Wait()
		}
	})
	return &session{t: t, process: process, screen: screen}
}

// answer waits for the prompt and types.
func (s *session) answer(prompt, typed string) {
	s.t.Helper()
	b := make([]byte, 1)
	for !strings.HasSuffix(s.shown.String(), prompt) {
		if _, err := s.screen.Read(b); err != nil {
			s.t.Fatalf("no %q: %v; the screen:\n%s", prompt, err, s.shown.String())
		}
		s.shown.Write(b)
	}
	if _, err := io.WriteString(s.screen, typed); err != nil {
		s.t.Fatal(err)
	}
}

// end returns everything that was shown, once the command has ended, and its exit status.
func (s *session) end() (string, int) {
	s.t.Helper()
	_, _ = io.Copy(&s.shown, s.screen) // the end of a terminal is an error on Linux
	err := s.process.Wait()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		s.t.Fatal(err)
	}
	return strings.ReplaceAll(s.shown.String(), "\r\n", "\n"), s.process.ProcessState.ExitCode()
}

const typedPassword = "correct horse battery"

func TestCreateSuperuserAsksAtATerminal(t *testing.T) {
	dir := t.TempDir()
	s := startSession(t, dir, "createsuperuser")
	s.answer("Username: ", "alice\r")
	s.answer("E-mail (may be empty): ", "\r")
	s.answer("Password: ", typedPassword+"\r")
	s.answer("Password (again): ", typedPassword+"\r")
	got, status := s.end()
	want := "Username: alice\nE-mail (may be empty): \nPassword: \nPassword (again): \nSuperuser alice was made.\n"
	if got != want || status != 0 {
		t.Errorf("exit status %d, and the screen:\n%s\nwant:\n%s", status, got, want)
	}

	// What the flags say is not asked.
	s = startSession(t, dir, "createsuperuser", "--username", "bob", "--email", "")
	s.answer("Password: ", typedPassword+"\r")
	s.answer("Password (again): ", typedPassword+"\r")
	got, status = s.end()
	if want := "Password: \nPassword (again): \nSuperuser bob was made.\n"; got != want || status != 0 {
		t.Errorf("exit status %d, and the screen:\n%s\nwant:\n%s", status, got, want)
	}
}

func TestCreateSuperuserRefusesPasswordsThatDiffer(t *testing.T) {
	dir := t.TempDir()
	s := startSession(t, dir, "createsuperuser", "--username", "alice", "--email", "alice@example.org")
	s.answer("Password: ", typedPassword+"\r")
	s.answer("Password (again): ", "correct horse bakery\r")
	got, status := s.end()
	want := "Password: \nPassword (again): \nlatchkey: nothing was done: the two passwords are not the same\n"
	if got != want || status != 1 {
		t.Errorf("exit status %d, and the screen:\n%s\nwant:\n%s", status, got, want)
	}
	expectEmpty(t, dir)
}

func TestCreateSuperuserCanBeCalledOff(t *testing.T) {
	interrupt := func(s *session, prompt string) { s.answer(prompt, "\x03") }
	endOfInput := func(s *session, prompt string) { s.answer(prompt, "\x04") }
	terminate := func(s *session, prompt string) {
		s.answer(prompt, "")
		if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, prompt string
		callOff      func(s *session, prompt string)
	}{
		{"by an interrupt at the username", "Username: ", interrupt},
		{"by an interrupt at the password", "Password: ", interrupt},
		{"by the end of the input at the username", "Username: ", endOfInput},
		{"by the end of the input at the password", "Password: ", endOfInput},
		{"by SIGTERM at the username", "Username: ", terminate},
		{"by SIGTERM at the password", "Password: ", terminate},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"createsuperuser", "--email", ""}
			if test.prompt == "Password: " {
				args = append(args, "--username", "alice")
			}
			s := startSession(t, dir, args...)
			test.callOff(s, test.prompt)
			got, status := s.end()
			if want := test.prompt + "\nlatchkey: nothing was done: it was called off\n"; got != want || status != 1 {
				t.Errorf("exit status %d, and the screen:\n%s", status, got)
			}
			expectEmpty(t, dir)
		})
	}
}

func TestAnInterruptAtThePasswordLeavesTheTerminalAsItWas(t *testing.T) {
	tty, err := os.CreateTemp(t.TempDir(), "settings")
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close() //nolint:errcheck // it was read
	// The shell outlives the command at the same terminal and tells its settings before and after.
	process := exec.Command("sh", "-c", `trap "" INT; stty -a >&3; (trap - INT; exec latchkey createsuperuser --username alice --email ""); stty -a >&3`)
	process.Dir, process.Env, process.ExtraFiles = t.TempDir(), environment(), []*os.File{tty}
	screen, err := pty.Start(process)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close() //nolint:errcheck // nothing is left to do
	s := &session{t: t, process: process, screen: screen}
	s.answer("Password: ", "\x03")
	s.end()
	content, err := os.ReadFile(tty.Name())
	if err != nil {
		t.Fatal(err)
	}
	settings := string(content)
	before, after := settings[:len(settings)/2], settings[len(settings)/2:]
	if before != after || !strings.Contains(before, " echo ") {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// expectEmpty fails the test where anything was written into the folder.
func expectEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("the folder has %v, %v, want nothing", entries, err)
	}
}
