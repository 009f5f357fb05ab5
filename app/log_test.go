package app_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/app"
)

// writes remembers each call of Write.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(b))
	return len(b), nil
}

// take returns what was written since it was asked last.
func (w *writes) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

func put(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(w, text); n != len(text) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

func TestAccessLinesWaitForATenthOfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got writes
		log := app.NewLogWriter(&got)
		for range 2 { // the second time with a timer that has run already
			put(t, log.Access(), "one\n")
			time.Sleep(99 * time.Millisecond)
			put(t, log.Access(), "two\n")
			if early := got.take(); len(early) > 0 {
				t.Fatalf("%q were written before the time was over", early)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if list := got.take(); len(list) != 1 || list[0] != "one\ntwo\n" {
				t.Fatalf("%q were written", list)
			}
		}
	})
}

func TestAnyOtherLineIsWrittenAtOnce(t *testing.T) {
	var got writes
	log := app.NewLogWriter(&got)
	put(t, log, "an event\n")
	put(t, log.Access(), "a request\n")
	put(t, log, "a warning\n")
	if list := got.take(); strings.Join(list, "|") != "an event\n|a request\na warning\n" {
		t.Errorf("%q were written", list)
	}
}

func TestAccessLinesDoNotGrowWithoutBound(t *testing.T) {
	var got writes
	log := app.NewLogWriter(&got)
	line := strings.Repeat("x", 1023) + "\n"
	for range 32 {
		put(t, log.Access(), line)
	}
	if list := got.take(); len(list) != 1 || len(list[0]) != 32<<10 {
		t.Errorf("%d pieces were written", len(list))
	}
}

func TestFlushWritesWhatWaits(t *testing.T) {
	var got bytes.Buffer
	log := app.NewLogWriter(&got)
	put(t, log.Access(), "a request\n")
	if err := log.Flush(); err != nil || got.String() != "a request\n" {
		t.Errorf("%q was written: %v", &got, err)
	}
}

type broken struct{ err error }

func (b *broken) Write(line []byte) (int, error) { return len(line), b.err }

func TestALogThatNobodyTakesIsForgotten(t *testing.T) {
	out := &broken{errors.New("no space left")}
	log := app.NewLogWriter(out)
	if _, err := log.Write([]byte("a warning\n")); !errors.Is(err, out.err) {
		t.Errorf("got %v", err)
	}
	if err := log.Flush(); err != nil {
		t.Errorf("the line was kept: %v", err)
	}
}
