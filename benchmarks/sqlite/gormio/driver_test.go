package gormio_test

import (
	"testing"

	"latchkey/benchmarks/sqlite/gormio"
	"latchkey/benchmarks/sqlite/suite/measure"
)

func Benchmark(b *testing.B) { measure.Bench(b, gormio.Driver()) }

func TestProbe(t *testing.T) { measure.Probe(t, gormio.Driver()) }
