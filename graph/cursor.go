package graph

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/fault"
	"latchkey/models"
)

// A cursor is a place in a list: the version of its form, the letter of the order, the id and the key, in base64. It
// says nothing that is not in the list, and whoever makes one up gets to a place that they could page to.
const (
	cursorVersion = "1"
	maxCursor     = 2_000 // bytes; a key has 254 characters at most
)

// orderLetter returns what a cursor is told by from one of another order.
func orderLetter(order models.UserOrder) string {
	switch order {
	case models.ByDateJoined:
		return "d"
	case models.ByMatch:
		return "m"
	default:
		return "u"
	}
}

// userCursor returns the cursor of a place.
func userCursor(order models.UserOrder, key models.UserKey) string {
	text := key.Text
	if order == models.ByDateJoined {
		text = strconv.FormatInt(key.At.UnixMicro(), 10)
	}
	return writeCursor(orderLetter(order), key.ID, text)
}

func writeCursor(letter string, id int64, text string) string {
	plain := cursorVersion + letter + strconv.FormatInt(id, 10) + ":" + text
	return base64.RawURLEncoding.EncodeToString([]byte(plain))
}

// eventLetter is what the cursor of an event is told by.
const eventLetter = "e"

// eventCursor returns the cursor of the place of an event.
func eventCursor(key models.EventKey) string {
	return writeCursor(eventLetter, key.ID, strconv.FormatInt(key.At.UnixMicro(), 10))
}

// parseEventCursor returns the place of a cursor; nil where there is no cursor. BAD_USER_INPUT for what is no cursor of a
// list of events.
func parseEventCursor(cursor *string, field string) (*models.EventKey, error) {
	if cursor == nil {
		return nil, nil //nolint:nilnil // no cursor is no place
	}
	id, text, ok := readCursor(eventLetter, *cursor)
	at, isTime := readMoment(text)
	if !ok || !isTime {
		return nil, fault.BadUserInput("This is no cursor of a list of events.", field)
	}
	return &models.EventKey{At: at, ID: id}, nil
}

// parseUserCursor returns the place of a cursor; nil where there is no cursor. BAD_USER_INPUT for what is no cursor of
// the order.
func parseUserCursor(order models.UserOrder, cursor *string, field string) (*models.UserKey, error) {
	if cursor == nil {
		return nil, nil //nolint:nilnil // no cursor is no place
	}
	key, ok := readUserCursor(order, *cursor)
	if !ok {
		return nil, fault.BadUserInput("This is no cursor of a list in this order.", field)
	}
	return &key, nil
}

func readUserCursor(order models.UserOrder, cursor string) (key models.UserKey, ok bool) {
	id, text, ok := readCursor(orderLetter(order), cursor)
	key.ID = id
	if order != models.ByDateJoined {
		key.Text = text
		return key, ok
	}
	at, isTime := readMoment(text)
	key.At = at
	return key, ok && isTime
}

// readCursor reads what writeCursor wrote.
func readCursor(letter, cursor string) (id int64, text string, ok bool) {
	if len(cursor) > maxCursor || strings.ContainsAny(cursor, "\r\n") {
		return 0, "", false
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || !utf8.Valid(plain) {
		return 0, "", false
	}
	rest, ok := strings.CutPrefix(string(plain), cursorVersion+letter)
	if !ok || strings.ContainsRune(rest, 0) {
		return 0, "", false
	}
	first, text, ok := strings.Cut(rest, ":")
	if !ok {
		return 0, "", false
	}
	id, ok = number(first)
	return id, text, ok
}

// readMoment reads microseconds since 1970, of a year that both databases know.
func readMoment(text string) (time.Time, bool) {
	micro, ok := number(text)
	at := time.UnixMicro(micro).UTC()
	return at, ok && at.Year() >= 1 && at.Year() <= 9999
}

// number reads a whole number that is written as this program writes it.
func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && strconv.FormatInt(n, 10) == text
}
