package graph

import (
	"mime"
	"strconv"
	"strings"
)

// The two media types of an answer. They differ in the status of a request that was not run, see statusOf.
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
)

// negotiate picks the media type of the answer by the Accept header (RFC 9110, section 12.5.1): the highest weight
// wins, then the more exact range, then the one that is listed first. Without a header, and for ranges that take
// anything, it is application/json, which every client understands. It reports false when neither type will do.
func negotiate(accept []string) (string, bool) {
	if len(accept) == 0 {
		return mediaJSON, true
	}
	if len(accept) == 1 {
		switch accept[0] {
		case "", "*/*", mediaJSON:
			return mediaJSON, true
		case mediaResponse:
			return mediaResponse, true
		}
	}
	ranges := strings.Join(accept, ",")
	if strings.TrimSpace(ranges) == "" {
		return mediaJSON, true
	}
	legacy, response := preferenceFor(ranges, mediaJSON), preferenceFor(ranges, mediaResponse)
	switch {
	case legacy.weight == 0 && response.weight == 0:
		return mediaJSON, false
	case response.over(legacy):
		return mediaResponse, true
	default:
		return mediaJSON, true
	}
}

// namesAnswer reports whether an Accept header names one of the two types itself. No tag, form or link of a page does.
func namesAnswer(accept []string) bool {
	ranges := strings.Join(accept, ",")
	return preferenceFor(ranges, mediaJSON).precision == 3 || preferenceFor(ranges, mediaResponse).precision == 3
}

// preference is what an Accept header says about one media type.
type preference struct {
	weight    int // thousandths; 0: not acceptable
	precision int // 3: the type by name, 2: application/*, 1: */*, 0: not listed
	place     int // in the list
}

// over reports whether p is preferred to q.
func (p preference) over(q preference) bool {
	if p.weight != q.weight {
		return p.weight > q.weight
	}
	if p.precision != q.precision {
		return p.precision > q.precision
	}
	return p.precision == 3 && p.place < q.place
}

// preferenceFor finds the most exact range for a media type, which alone decides about it: that is how
// `application/json;q=0, */*` excludes one type.
func preferenceFor(ranges, media string) preference {
	var best preference
	for place, one := range splitUnquoted(ranges) {
		name, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		precision := 0
		switch name {
		case media:
			precision = 3
		case "application/*":
			precision = 2
		case "*/*":
			precision = 1
		}
		weight, ok := quality(params)
		if !ok || precision <= best.precision || !isUTF8(params) {
			continue
		}
		best = preference{weight, precision, place}
	}
	return best
}

// splitUnquoted splits a header at its commas, but for those within quotes.
func splitUnquoted(list string) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			parts = append(parts, list[start:i])
			start = i + 1
		}
	}
	return append(parts, list[start:])
}

// quality reads the weight of a range, in thousandths. It reports false for one that is not well-formed.
func quality(params map[string]string) (int, bool) {
	q, ok := params["q"]
	if !ok {
		return 1000, true
	}
	f, err := strconv.ParseFloat(q, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, false
	}
	return int(f * 1000), true
}

// isUTF8 reports whether a media type names UTF-8 as its character set, or none.
func isUTF8(params map[string]string) bool {
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// isJSONBody reports whether the Content-Type header says that a body is JSON, which always is UTF-8. Nothing that
// merely begins or ends like it will do, and nothing that a foreign page's form can send.
func isJSONBody(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	if contentType[0] == mediaJSON {
		return true
	}
	media, params, err := mime.ParseMediaType(contentType[0])
	return err == nil && media == mediaJSON && isUTF8(params)
}
