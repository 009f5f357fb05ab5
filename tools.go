//go:build tools

// Package main pins the tools that `go generate` runs. The build tag keeps them out of every build.
package main

import _ "github.com/99designs/gqlgen"
