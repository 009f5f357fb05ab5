package web

import (
	"net/http"
	"strconv"
	"strings"
)

// acceptsGzip reports whether the Accept-Encoding header fields of a request
// allow gzip (RFC 9110, section 12.5.3). A request without the field would
// take any encoding by the letter, but the clients that leave it out are the
// ones that cannot decode.
func acceptsGzip(header http.Header) bool {
	accepted := false
	for _, field := range header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(coding, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				return quality(params) > 0
			case "*":
				accepted = quality(params) > 0
			}
		}
	}
	return accepted
}

// quality returns the weight in the parameters of a coding: 1 where there is
// none, 0 where it is not a number.
func quality(params string) float64 {
	name, value, found := strings.Cut(params, "=")
	if !found {
		return 1
	}
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}
