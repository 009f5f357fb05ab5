package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"latchkey/config"
)

// usageError is wrong usage. It repeats no value and no argument, for a secret may have been typed there.
type usageError string

// Error returns the text.
func (e usageError) Error() string { return string(e) }

// option is a flag of a command.
type option struct {
	name        string // without dashes
	placeholder string // what stands for the value in the help; empty: the flag may stand alone and is then true
	help        string

	group   string         // the title above it in the help
	setting config.Setting // the setting it stands for, if any
}

// settings returns the options that stand for the settings of these variables, or for all settings.
func settings(variables ...string) []option {
	var list []option
	for _, g := range config.Reference() {
		for _, s := range g.Settings {
			o := option{name: s.Flag(), placeholder: s.Placeholder, help: s.Help, setting: s}
			if len(variables) == 0 {
				o.group = g.Title
			} else if !slices.Contains(variables, s.Variable) {
				continue
			}
			list = append(list, o)
		}
	}
	return list
}

// parse returns the flags in args, by name, with their texts; one that stands alone is "true".
func (c command) parse(args []string) (map[string]string, error) {
	flags := map[string]string{}
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, o := range c.options {
		keep := func(text string) error {
			flags[o.name] = text
			return nil
		}
		if o.placeholder == "" {
			set.BoolFunc(o.name, "", keep)
		} else {
			set.Func(o.name, "", keep)
		}
	}
	if err := set.Parse(args); err != nil {
		return nil, c.misused(err)
	}
	if c.argument != "" {
		if set.NArg() != 1 {
			return nil, c.usage("one %s is needed, after the flags", c.argument)
		}
		flags[c.argument] = set.Arg(0)
		return flags, nil
	}
	if set.NArg() == 0 {
		return flags, nil
	}
	if stray := set.Arg(0); stray == "true" || stray == "false" {
		return nil, c.usage("true and false follow an =, as in --flag=%s", stray)
	}
	return nil, c.usage("an argument belongs to no flag")
}

// misused puts an error of package flag into words that repeat no value.
func (c command) misused(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return c.usage("--%s needs a value", name)
	}
	name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !ok {
		return c.usage("a flag is written --name=value or --name value")
	}
	text := "there is no such flag"
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == "" { // a word, which may be shown
		text = "there is no flag --" + name
	}
	names := make([]string, len(c.options))
	for i, o := range c.options {
		names[i] = o.name
	}
	if near, ok := config.Nearest(name, names); ok {
		text += ", but --" + near
	}
	return c.usage("%s", text)
}

// usage returns a usageError that ends with where to read more.
func (c command) usage(format string, args ...any) error {
	return usageError(fmt.Sprintf("%s: %s; `latchkey %s --help` tells more", c.name, fmt.Sprintf(format, args...), c.name))
}

// truth returns the value of a flag that may stand alone.
func (c command) truth(flags map[string]string, name string) (bool, error) {
	text, ok := flags[name]
	if !ok {
		return false, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, c.usage("--%s is true or false", name)
	}
	return b, nil
}
