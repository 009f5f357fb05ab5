package ncruces_test

import (
	"testing"

	"latchkey/benchmarks/sqlite/ncruces"
	"latchkey/benchmarks/sqlite/suite/measure"
)

func Benchmark(b *testing.B) { measure.Bench(b, ncruces.Driver()) }

func TestProbe(t *testing.T) { measure.Probe(t, ncruces.Driver()) }
