package app

import (
	"io"
	"sync"
	"time"
)

// How long, and how much of it, the access log may wait to be written.
const (
	accessDelay  = 100 * time.Millisecond
	accessBuffer = 32 << 10 // in bytes
)

// LogWriter writes the lines of a log to another writer, in the order in which they came. What is written to it itself
// is written through at once. What is written to its Access part waits for up to a tenth of a second, so that a busy
// server makes one call of the system for hundreds of lines and not for each; that is what a process that is killed
// may lose. It is safe for use by many goroutines.
type LogWriter struct {
	mu      sync.Mutex
	out     io.Writer
	waiting []byte
	timer   *time.Timer // nil until something waits for the first time
}

// NewLogWriter returns a LogWriter that writes to out. Flush it at the end.
func NewLogWriter(out io.Writer) *LogWriter { return &LogWriter{out: out} }

// Write implements io.Writer. What waits is written, too, before it.
func (w *LogWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, line...)
	if err := w.flush(); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Flush writes what waits.
func (w *LogWriter) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush()
}

// flush writes what waits, and forgets it even where that fails: a log that nobody takes must not grow.
func (w *LogWriter) flush() error {
	if len(w.waiting) == 0 {
		return nil
	}
	_, err := w.out.Write(w.waiting)
	w.waiting = w.waiting[:0]
	return err //nolint:wrapcheck // a writer returns the error of the writer below it
}

// Access returns the writer of the lines that may wait.
func (w *LogWriter) Access() io.Writer { return accessWriter{w} }

type accessWriter struct{ w *LogWriter }

func (a accessWriter) Write(line []byte) (int, error) {
	w := a.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.await()
	}
	w.waiting = append(w.waiting, line...)
	if len(w.waiting) < accessBuffer {
		return len(line), nil
	}
	return len(line), w.flush()
}

// await starts the time that the first line may wait.
func (w *LogWriter) await() {
	if w.timer == nil {
		w.timer = time.AfterFunc(accessDelay, func() { _ = w.Flush() }) // nobody is left to tell
		return
	}
	w.timer.Reset(accessDelay)
}
