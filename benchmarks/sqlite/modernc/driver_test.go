package modernc_test

import (
	"testing"

	"latchkey/benchmarks/sqlite/modernc"
	"latchkey/benchmarks/sqlite/suite/measure"
)

func BenchmarkText(b *testing.B) { measure.Bench(b, modernc.Driver(false)) }

func BenchmarkMicros(b *testing.B) { measure.Bench(b, modernc.Driver(true)) }

func TestProbeText(t *testing.T) { measure.Probe(t, modernc.Driver(false)) }

func TestProbeMicros(t *testing.T) { measure.Probe(t, modernc.Driver(true)) }
