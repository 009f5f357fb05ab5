// Command testsum reads the output of `go test -json` from standard input and shows what a person needs of it: a line
// for each package, every failure in full, and at the end how many tests ran on which database and how many passed.
//
// It exits with 1 when a test failed, did not end or was not built, and when there was no test at all.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// maxLine bounds one event, in bytes. A test writes its output line by line, so this is a very long line.
const maxLine = 16 << 20

func main() {
	closing := flag.String("summary", "", "also write the closing lines to this `file`")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *closing); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

func run(r io.Reader, w io.Writer, closing string) error {
	report := newReport(w)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		report.read(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	text, ok := report.close()
	if closing != "" {
		if err := os.WriteFile(closing, []byte(text), 0o600); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, "\n"+text); err != nil {
		return err
	}
	if !ok {
		return errors.New("not all tests passed")
	}
	return nil
}
