package glebarez_test

import (
	"testing"

	"latchkey/benchmarks/sqlite/glebarez"
	"latchkey/benchmarks/sqlite/suite/measure"
)

func Benchmark(b *testing.B) { measure.Bench(b, glebarez.Driver()) }

func TestProbe(t *testing.T) { measure.Probe(t, glebarez.Driver()) }
