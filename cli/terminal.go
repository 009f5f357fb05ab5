package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminal asks a person. Nothing that is typed is shown by the terminal itself, which would do so before a prompt has
// a chance to say that it is a secret.
type terminal struct {
	*term.Terminal
	out     io.Writer
	restore func() error
}

// openTerminal returns the terminal in. Close it when done, however that comes about.
func openTerminal(in *os.File, out io.Writer) (*terminal, error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return nil, errors.New("there is no terminal to ask at: use --username, --email and --password-stdin")
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("prepare terminal: %w", err)
	}
	screen := struct {
		io.Reader
		io.Writer
	}{in, out}
	restore := func() error { return term.Restore(fd, state) }
	return &terminal{Terminal: term.NewTerminal(screen, ""), out: out, restore: restore}, nil
}

// close leaves the terminal as it was.
func (t *terminal) close() { _ = t.restore() } // there is nothing else to do about it

// ask returns the line that is typed.
func (t *terminal) ask(ctx context.Context, prompt string) (string, error) {
	return t.await(ctx, func() (string, error) {
		t.SetPrompt(prompt)
		return t.ReadLine()
	})
}

// askUnseen returns the line that is typed and does not show it.
func (t *terminal) askUnseen(ctx context.Context, prompt string) (string, error) {
	return t.await(ctx, func() (string, error) { return t.ReadPassword(prompt) })
}

// await returns what read returns, or an error when ctx ends first: nothing can call a read from a terminal off.
func (t *terminal) await(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := read()
		answered <- answer{text, err}
	}()
	a := answer{err: io.EOF}
	select {
	case <-ctx.Done():
	case a = <-answered:
	}
	if a.err != nil { // an interrupt is the end of the input, too
		fmt.Fprint(t.out, "\r\n")
	}
	if errors.Is(a.err, io.EOF) {
		return "", errors.New("nothing was done: it was called off")
	}
	return a.text, a.err
}
