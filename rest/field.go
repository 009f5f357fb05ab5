package rest

import (
	"fmt"
	"net/http"
	"strings"
)

// field is a text that a view wants in the body, or one that it answers.
type field struct {
	name, label string
	readOnly    bool
}

// readFields returns the texts that a view wants, from the body. What is wrong with any of them is told at once.
func readFields(body value, fields []field) (map[string]string, *answer) {
	switch body.kind {
	case kindObject:
	case kindNull:
		return nil, invalid(nonField("No data provided"))
	default:
		return nil, invalid(nonField(fmt.Sprintf("Invalid data. Expected a dictionary, but got %s.", python[body.kind])))
	}
	texts := map[string]string{}
	var problems ordered
	for _, f := range fields {
		if f.readOnly {
			continue
		}
		v, given := body.members[f.name]
		if !given {
			problems = append(problems, member{f.name, []string{"This field is required."}})
			continue
		}
		text, wrong := readText(v)
		if wrong != nil {
			problems = append(problems, member{f.name, wrong})
		}
		texts[f.name] = text
	}
	if problems != nil {
		return nil, invalid(problems)
	}
	return texts, nil
}

// readText returns the text of a field as Django REST framework takes it: a number as Python writes it, and without
// white space at its ends; or what is wrong with it.
func readText(v value) (text string, wrong []string) {
	switch v.kind {
	case kindNull:
		return "", []string{"This field may not be null."}
	case kindText, kindInt, kindFloat:
	default:
		return "", []string{"Not a valid string."}
	}
	text = strip(v.text)
	if text == "" {
		return "", []string{"This field may not be blank."}
	}
	if strings.ContainsRune(text, 0) {
		wrong = append(wrong, "Null characters are not allowed.")
	}
	if v.half != 0 {
		wrong = append(wrong, fmt.Sprintf("Surrogate characters are not allowed: U+%X.", v.half))
	}
	return text, wrong
}

// nonField is a problem of the body as a whole.
func nonField(message string) ordered { return ordered{{"non_field_errors", []string{message}}} }

// invalid is the answer to a body that is not what the view wants.
func invalid(problems ordered) *answer {
	return &answer{status: http.StatusBadRequest, body: problems}
}
