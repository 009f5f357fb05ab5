package app_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/app"
)

// writes remembers each call of Write.
type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
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
			if len(got) > 0 {
				t.Fatalf("%q were written before the time was over", got)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if len(got) != 1 || got[0] != "one\ntwo\n" {
				t.Fatalf("%q were written", got)
			}
			got = nil
		}
	})
}

func TestAnyOtherLineIsWrittenAtOnce(t *testing.T) {
	var got writes
	log := app.NewLogWriter(&got)
	put(t, log, "an event\n")
	put(t, log.Access(), "a request\n")
	put(t, log, "a warning\n")
	if strings.Join(got, "|") != "an event\n|a request\na warning\n" {
		t.Errorf("%q were written", got)
	}
}

func TestAccessLinesDoNotGrowWithoutBound(t *testing.T) {
	var got writes
	log := app.NewLogWriter(&got)
	line := strings.Repeat("x", 1023) + "\n"
	for range 32 {
		put(t, log.Access(), line)
	}
	if len(got) != 1 || len(got[0]) != 32<<10 {
		t.Errorf("%d pieces were written", len(got))
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
