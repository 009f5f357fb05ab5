package graph

import (
	"testing"
	"time"

	"latchkey/models"
)

// FuzzEventCursor reads whatever is given as a cursor: what is taken is written the same way again.
func FuzzEventCursor(f *testing.F) {
	f.Add(eventCursor(models.EventKey{At: time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC), ID: 7}))
	f.Add(userCursor(models.ByUsername, models.UserKey{Text: "ada", ID: 7}))
	f.Add("MWUxOg")
	f.Add("🦊\x00")
	f.Fuzz(func(t *testing.T, cursor string) {
		key, err := parseEventCursor(&cursor, "after")
		if err != nil {
			return
		}
		if again := eventCursor(*key); again != cursor {
			t.Errorf("%q was read as %v, which is %q", cursor, key, again)
		}
		if _, ok := readUserCursor(models.ByUsername, cursor); ok {
			t.Errorf("%q is a cursor of users, too", cursor)
		}
	})
}
