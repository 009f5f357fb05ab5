package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// The functions below return what writes a value of one kind. It says, as an error, what the value should have been.

func text(into *string) func(string) error {
	return func(value string) error {
		*into = value
		return nil
	}
}

// list takes texts with commas between them; spaces around each are of no account.
func list(into *[]string) func(string) error {
	return func(value string) error {
		*into = strings.Split(value, ",")
		for i, item := range *into {
			(*into)[i] = strings.TrimSpace(item)
		}
		return nil
	}
}

// secrets takes one secret, with whatever is in it, or several, a line each. Where there are lines, the whole is one of
// them, too: that was the secret if it ended with a line break.
func secrets(into *[]string) func(string) error {
	return func(value string) error {
		*into = []string{value}
		if !strings.Contains(value, "\n") {
			return nil
		}
		for line := range strings.Lines(value) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				*into = append(*into, line)
			}
		}
		return nil
	}
}

func duration(into *time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return errors.New("not a duration, as in 90s, 5m or 24h")
		}
		*into = d
		return nil
	}
}

// number takes a whole number without a sign. Whether it is too large is for Validate to say.
func number(into *int) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return errors.New("not a whole number, as in 100")
		}
		*into = int(n)
		return nil
	}
}

func truth(into *bool) func(string) error {
	return func(value string) error {
		b, err := strconv.ParseBool(value)
		if err != nil {
			return errors.New("neither true nor false")
		}
		*into = b
		return nil
	}
}

// orUnset takes what truth takes and tells it from nothing.
func orUnset(into **bool) func(string) error {
	return func(value string) error {
		var b bool
		if err := truth(&b)(value); err != nil {
			return err
		}
		*into = &b
		return nil
	}
}
