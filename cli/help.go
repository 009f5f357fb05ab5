package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// helpWidth is the most characters in a line of help.
const helpWidth = 100

// printCommands writes the help of the program.
func printCommands(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Latchkey is a GraphQL API server with JWT authentication.\n\n")
	b.WriteString("Usage: latchkey [COMMAND] [FLAG ...]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-18s  %s\n", c.name, c.summary)
	}
	b.WriteString("\nWithout a COMMAND it serves. `latchkey serve --help` lists the settings, and\n" +
		"`latchkey COMMAND --help` tells more about a command.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// printHelp writes the help of the command.
func (c command) printHelp(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: latchkey %s", c.name)
	if len(c.options) > 0 {
		b.WriteString(" [FLAG ...]")
	}
	if c.argument != "" {
		b.WriteString(" " + c.argument)
	}
	b.WriteString("\n\n")
	wrap(&b, "", c.summary)
	if c.details != "" {
		b.WriteString("\n")
		wrap(&b, "", c.details)
	}
	for i, o := range c.options {
		if i == 0 || o.group != c.options[i-1].group {
			fmt.Fprintf(&b, "\n%s:\n", cmp.Or(o.group, "Flags"))
		}
		o.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// print writes how the flag is written and the variable beside it, and what both mean below.
func (o option) print(b *strings.Builder) {
	written := "--" + o.name
	switch {
	case o.placeholder != "":
		written += " " + o.placeholder
	case o.setting.Variable != "":
		written += "[=false]"
	}
	variable := o.setting.Variable
	if o.setting.Else != "" {
		variable += ", else " + o.setting.Else
	}
	fmt.Fprintf(b, "%s\n", strings.TrimRight(fmt.Sprintf("  %-35s  %s", written, variable), " "))
	wrap(b, "      ", o.help)
	if o.setting.Default != "" {
		fmt.Fprintf(b, "      Default: %s\n", o.setting.Default)
	}
}

// wrap writes text in lines of helpWidth at most, each after indent.
func wrap(b *strings.Builder, indent, text string) {
	column := 0
	for _, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case column == 0:
			b.WriteString(indent)
			column = len(indent)
		case column+1+length > helpWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteString("\n")
}
