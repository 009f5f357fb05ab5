package auth

import "encoding/json"

// maxRoleNames bounds the names of a user's roles together, in bytes of JSON. Every access token carries them, which
// makes four bytes of three, and no token may have more than 16 KiB: that leaves room for the claims that are carried,
// 4 KiB at most, and for all else.
const maxRoleNames = 6 << 10

// fitToken reports whether a token can carry the names of these roles.
func fitToken(names []string) bool {
	text, err := json.Marshal(names)
	return err == nil && len(text) <= maxRoleNames
}
