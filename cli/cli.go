// Package cli is the command line: one command a file. Each says on standard error, in one line, what failed and what
// to do; package app does the work.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"latchkey/config"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Environment is the world around a command.
type Environment struct {
	Stdin          *os.File
	Stdout, Stderr io.Writer
	Variables      []string // as os.Environ returns them
}

// has reports whether a variable is set.
func (e Environment) has(variable string) bool {
	return slices.ContainsFunc(e.Variables, func(v string) bool { return strings.HasPrefix(v, variable+"=") })
}

// command is one thing the program can do.
type command struct {
	name     string // one word, or two
	argument string // what stands for the one argument in the help; empty: there is none
	summary  string // a sentence, for the list of commands
	details  string // what else its help says, in sentences
	options  []option
	run      func(ctx context.Context, env Environment, flags map[string]string) error
}

// commands returns all of them, in the order of the help. The first is run where none is named.
func commands() []command {
	first := append([]command{serve(), migrate(), createSuperuser()}, userCommands()...)
	return append(first, importDjango(), throttleClear(), flushExpiredTokens(), keysList(), keysRotate(), keysRetire(),
		keysReseal(), auditList(), auditVerify(), auditRestart(), schema(), healthcheck(), version())
}

// Main runs the command in args, which are without the program's name, and returns the exit status: 0 done, 1 it
// failed, 2 wrong usage. Where it is not 0, a line on standard error says why and what to do; where several settings
// are at fault, each has a line.
func Main(ctx context.Context, args []string, env Environment) int {
	err := run(ctx, args, env)
	if err == nil {
		return exitOK
	}
	lines := []string{err.Error()}
	if faults, ok := errors.AsType[config.Faults](err); ok {
		lines = faults.Lines()
	}
	for _, line := range lines {
		// Some drivers write tables into an error.
		fmt.Fprintln(env.Stderr, "latchkey: "+strings.Join(strings.Fields(line), " "))
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func run(ctx context.Context, args []string, env Environment) error {
	if len(args) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		return printCommands(env.Stdout)
	}
	c, args, err := choose(args)
	if err != nil {
		return err
	}
	flags, err := c.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return c.printHelp(env.Stdout)
	}
	if err != nil {
		return err
	}
	return c.run(ctx, env, flags)
}

// choose returns the command that args begin with, and the rest of args.
func choose(args []string) (command, []string, error) {
	all := commands()
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return all[0], args, nil
	}
	names := make([]string, len(all))
	for i, c := range all {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(words, args[:len(words)]) {
			return c, args[len(words):], nil
		}
		names[i] = c.name
	}
	text := "there is no such command;"
	if near, ok := config.Nearest(strings.Join(args[:min(2, len(args))], " "), names); ok {
		text += " did you mean " + near + "?"
	} else if near, ok := config.Nearest(args[0], names); ok {
		text += " did you mean " + near + "?"
	}
	return command{}, nil, usageError(text + " `latchkey --help` lists the commands")
}
