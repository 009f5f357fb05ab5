package django

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what is read.
const (
	maxRecord = 1 << 20 // bytes
	maxDepth  = 64      // brackets within brackets
	chunkSize = 64 << 10
)

// The models that a Reader knows, beside that of users.
const (
	modelGroup       = "auth.group"
	modelPermission  = "auth.permission"
	modelContentType = "contenttypes.contenttype"
)

// Options is what NewReader is handed. The zero value reads Django's default user.
type Options struct {
	UserModel     string // "" : auth.user
	UsernameField string // "" : username
}

// Reader reads a dump: an array of JSON, or JSON Lines.
type Reader struct {
	o   Options
	in  io.Reader
	buf []byte // chunk[pos:end] is read and not consumed

	pos, end int
	inputErr error // what ended the input

	offset int64 // of what comes next
	line   int
	record int    // how many records have begun
	text   []byte // of the record at hand

	outer, inner members // of it, and of its fields

	lines  bool // JSON Lines, and no array
	begun  bool
	closed error // what each further call of Next returns
}

// NewReader returns a Reader. It reads ahead.
func NewReader(in io.Reader, o Options) *Reader {
	if o.UserModel == "" {
		o.UserModel = "auth.user"
	}
	if o.UsernameField == "" {
		o.UsernameField = "username"
	}
	o.UserModel = strings.ToLower(o.UserModel)
	return &Reader{o: o, in: in, buf: make([]byte, chunkSize), line: 1}
}

// Offset returns how many bytes have been consumed.
func (r *Reader) Offset() int64 { return r.offset }

// Next returns the next record, and io.EOF behind the last one. After an *Error that is not Fatal it may be called
// again, for the record behind that one. Any other error comes again with each call; that of the input is as it came.
func (r *Reader) Next() (Record, error) {
	if r.closed != nil {
		return Record{}, r.closed
	}
	record, err := r.next()
	if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Fatal) {
		r.closed = err
	}
	return record, err
}

func (r *Reader) next() (Record, error) {
	if !r.begun {
		if err := r.begin(); err != nil {
			return Record{}, err
		}
	}
	more, err := r.toRecord()
	if err != nil {
		return Record{}, err
	}
	if !more {
		return Record{}, io.EOF
	}
	r.record++
	at := r.here()
	r.text = r.text[:0]
	var tooLong bool
	if r.lines {
		tooLong, err = r.readLine()
	} else {
		tooLong, err = r.readElement()
	}
	if err != nil {
		return Record{}, err
	}
	if tooLong {
		return Record{}, &Error{At: at, Reason: fmt.Sprintf("it is longer than %d bytes", maxRecord)}
	}
	return r.parse(at)
}

// here is the place of what comes next.
func (r *Reader) here() Position { return Position{Record: r.record, Line: r.line, Byte: r.offset} }

// fatal returns an error at what comes next.
func (r *Reader) fatal(reason string) error {
	return &Error{At: r.here(), Reason: reason, Fatal: true}
}

// begin passes over a byte order mark and finds out which of the two formats it is.
func (r *Reader) begin() error {
	r.begun = true
	if err := r.fill(3); err != nil {
		return err
	}
	switch head := r.buf[r.pos:r.end]; {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		r.consume(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return r.fatal("the dump is UTF-16, as some shells write it; let dumpdata write the file, with its flag -o FILE")
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return r.fatal("the dump is compressed; unpack it, and give it on standard input")
	}
	b, err := r.peek()
	switch {
	case errors.Is(err, io.EOF):
		return r.fatal("the dump is empty, without even the [] of a dump of nothing")
	case err != nil:
		return err
	case b == '{':
		r.lines = true
	case b == '[':
		r.consume(1)
	default:
		return r.fatal("the dump is neither JSON nor JSON Lines, which begin with [ and {")
	}
	return nil
}

// toRecord goes to where the next record begins, and reports whether there is one.
func (r *Reader) toRecord() (bool, error) {
	b, err := r.peek()
	if r.lines {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return err == nil, err
	}
	if err != nil {
		return false, r.cutShort(err)
	}
	switch {
	case b == ']':
		r.consume(1)
		return false, r.atEnd()
	case r.record == 0:
		return true, nil
	case b == ',':
		r.consume(1)
		_, err := r.peek()
		return err == nil, r.cutShort(err)
	default: // readElement ends at one of these two
		return false, r.fatal("a comma is missing")
	}
}

// atEnd makes sure that nothing follows the array.
func (r *Reader) atEnd() error {
	_, err := r.peek()
	if err == nil {
		r.record = 0
		return r.fatal("something follows the ] that ends the dump")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// cutShort says what the end of the input means within an array.
func (r *Reader) cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return r.fatal("the dump ends here, without its last ]: it was cut short")
	}
	return err
}

// readLine puts the rest of the line into r.text and consumes it.
func (r *Reader) readLine() (tooLong bool, err error) {
	for {
		if err := r.fill(1); err != nil {
			return tooLong, err
		}
		chunk := r.buf[r.pos:r.end]
		if len(chunk) == 0 {
			return tooLong, nil
		}
		i := bytes.IndexByte(chunk, '\n')
		if i >= 0 {
			chunk = chunk[:i]
		}
		tooLong = r.keep(chunk) || tooLong
		r.consume(len(chunk))
		if i >= 0 {
			return tooLong, nil
		}
	}
}

// readElement puts what stands before the next comma or ] of the array itself into r.text and consumes it. Where
// brackets or strings are so broken that nobody can tell where the record ends, that is fatal: to guess could take a
// piece of a text for a record.
func (r *Reader) readElement() (tooLong bool, err error) {
	var s scan
	for {
		if err := r.fill(1); err != nil {
			return tooLong, err
		}
		chunk := r.buf[r.pos:r.end]
		if len(chunk) == 0 {
			return tooLong, r.cutShort(io.EOF)
		}
		n, done, reason := s.pass(chunk)
		tooLong = r.keep(chunk[:n]) || tooLong
		r.consume(n)
		if reason != "" {
			return tooLong, r.fatal(reason)
		}
		if done {
			return tooLong, nil
		}
	}
}

// keep appends to r.text, and reports whether it would be too long.
func (r *Reader) keep(chunk []byte) (tooLong bool) {
	if len(r.text)+len(chunk) > maxRecord {
		return true
	}
	r.text = append(r.text, chunk...)
	return false
}

// scan knows where it is in an element of an array.
type scan struct {
	inString, escaped bool
	open              [maxDepth]byte // the brackets that are open, each as what closes it
	depth             int
}

// pass goes over the chunk and stops at the end of the element, or before what is fatal. n is how far it came.
func (s *scan) pass(chunk []byte) (n int, done bool, reason string) {
	for i, b := range chunk {
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString:
			if reason := s.inText(b); reason != "" {
				return i, false, reason
			}
		case s.depth == 0 && (b == ',' || b == ']'):
			return i, true, ""
		default:
			if reason := s.outside(b); reason != "" {
				return i, false, reason
			}
		}
	}
	return len(chunk), false, ""
}

func (s *scan) inText(b byte) (reason string) {
	switch {
	case b == '"':
		s.inString = false
	case b == '\\':
		s.escaped = true
	case b < ' ':
		return "the record has a line break or control character inside a text, so that its end cannot be told"
	}
	return ""
}

func (s *scan) outside(b byte) (reason string) {
	switch b {
	case '"':
		s.inString = true
	case '{', '[':
		if s.depth == maxDepth {
			return fmt.Sprintf("the record has more than %d brackets within each other", maxDepth)
		}
		s.open[s.depth] = b + 2 // in ASCII the closing bracket is the next but one
		s.depth++
	case '}', ']':
		if s.depth == 0 || s.open[s.depth-1] != b {
			return fmt.Sprintf("the record has a %c where none can be, so that its end cannot be told", b)
		}
		s.depth--
	case '\\':
		return "the record has a \\ outside of a text, so that its end cannot be told"
	}
	return ""
}

// peek passes over white space and returns the byte that comes next, without consuming it.
func (r *Reader) peek() (byte, error) {
	for {
		if err := r.fill(1); err != nil {
			return 0, err
		}
		chunk := r.buf[r.pos:r.end]
		if len(chunk) == 0 {
			return 0, io.EOF
		}
		rest := bytes.TrimLeft(chunk, " \t\r\n")
		r.consume(len(chunk) - len(rest))
		if len(rest) > 0 {
			return rest[0], nil
		}
	}
}

// consume moves on by n bytes that were read.
func (r *Reader) consume(n int) {
	r.line += bytes.Count(r.buf[r.pos:r.pos+n], []byte("\n"))
	r.pos += n
	r.offset += int64(n)
}

// fill reads until n bytes at least are there, or the input ends. It returns the error of the input but its end.
func (r *Reader) fill(n int) error {
	for r.end-r.pos < n && r.inputErr == nil {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
		var got int
		got, r.inputErr = r.in.Read(r.buf[r.end:])
		r.end += got
	}
	if r.end-r.pos < n && !errors.Is(r.inputErr, io.EOF) {
		return r.inputErr
	}
	return nil
}
