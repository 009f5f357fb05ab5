package rest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"unicode/utf8"
)

// readForm reads a body of type application/x-www-form-urlencoded as Django does: the last value of a name counts, a
// name without a sign of equality is empty, and what is no proper escape stands for itself. The charset says what
// escaped bytes mean.
func readForm(body []byte, charset string) map[string]value {
	plain, err := decode(body, charset)
	if err != nil {
		plain = fromLatin1(body)
	}
	form := map[string]value{}
	for pair := range bytes.SplitSeq(plain, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		name, text, _ := bytes.Cut(pair, []byte("="))
		form[unescape(name, charset)] = value{kind: kindText, text: unescape(text, charset)}
	}
	return form
}

// unescape reads a name or a value of a form.
func unescape(b []byte, charset string) string {
	var out []byte
	for i := 0; i < len(b); {
		if b[i] != '%' {
			c := b[i]
			if c == '+' {
				c = ' '
			}
			out = append(out, c)
			i++
			continue
		}
		escaped, length := escapedBytes(b[i:])
		out = append(out, orReplaced(escaped, charset)...)
		i += length
	}
	return string(out)
}

// escapedBytes reads the escapes that b begins with, and returns how long they are. A percent sign that begins none
// stands for itself.
func escapedBytes(b []byte) (escaped []byte, length int) {
	for length+2 < len(b) && b[length] == '%' {
		var c [1]byte
		if _, err := hex.Decode(c[:], b[length+1:length+3]); err != nil {
			break
		}
		escaped = append(escaped, c[0])
		length += 3
	}
	if length == 0 {
		return b[:1], 1
	}
	return escaped, length
}

// orReplaced turns bytes into UTF-8 by the charset, with U+FFFD for each piece that is none.
func orReplaced(b []byte, charset string) []byte {
	if plain, err := decode(b, charset); err == nil {
		return plain
	}
	var out []byte
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = max(1, begun(b))
		}
		out, b = utf8.AppendRune(out, r), b[size:]
	}
	return out
}

// readMultipart reads a body of type multipart/form-data. The last value of a name counts, and a file counts more than
// any text. As in Django, what is left of a form that was cut off is a form.
func readMultipart(body []byte, boundary, charset string) map[string]value {
	form := map[string]value{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextRawPart()
		if err != nil {
			return form
		}
		name := part.FormName()
		content, err := io.ReadAll(part)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return form
		}
		switch {
		case name == "":
		case part.FileName() != "":
			form[name] = value{kind: kindFile}
		case form[name].kind != kindFile:
			form[name] = value{kind: kindText, text: string(orReplaced(content, charset))}
		}
	}
}

// boundaryProblem returns why a boundary cannot be one (RFC 2046 section 5.1.1), in Django's words; empty where it can.
func boundaryProblem(params map[string]string) string {
	boundary, ok := params["boundary"]
	if !ok {
		return "Invalid boundary in multipart: None"
	}
	printable := utf8.ValidString(boundary) && !strings.ContainsFunc(boundary, func(r rune) bool { return r < ' ' || r > '~' })
	if boundary == "" || len(boundary) > 201 || !printable || strings.HasSuffix(boundary, " ") {
		return "Invalid boundary in multipart: " + strings.ToValidUTF8(boundary, "\ufffd")
	}
	return ""
}
