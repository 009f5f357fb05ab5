//go:build unix

package graph_test

import (
	"maps"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"latchkey/graph"
)

// BenchmarkRefused is what it costs to refuse what is hostile, as time of the CPU, which other processes on the machine
// change little: docs/limits.md has the figures. `-bench 'Refused/.*/largest'` has every limit at its largest,
// `-bench 'Refused/.*/trusted'` a server with trusted documents.
func BenchmarkRefused(b *testing.B) {
	requests := hostileBodies()
	for name, document := range hostileDocuments() {
		requests[name] = encode(b, map[string]string{"query": document})
	}
	toy := newToy(b)
	trusting := graph.Options{Schema: toy}
	var err error
	if trusting.Trusted, err = graph.ReadTrusted(folder(b, "a.graphql", "query User { user { id } }"), trusting); err != nil {
		b.Fatal(err)
	}
	handlers := map[string]http.Handler{
		"default": graph.NewHandler(graph.Options{Schema: toy, Introspection: true, Limits: graph.Limits{Cache: 1}}),
		"largest": graph.NewHandler(graph.Options{Schema: toy, Introspection: true, Limits: graph.Limits{
			Body: 16 << 20, Document: 100_000, Tokens: 5_000, Directives: 500, Fragments: 500, Depth: 50, Aliases: 500,
			RootFields: 200, Fields: 5_000, Cost: 1_000_000, Cache: 1,
		}}),
		"trusted": graph.NewHandler(trusting),
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		for _, kind := range slices.Sorted(maps.Keys(handlers)) {
			b.Run(name+"/"+kind, func(b *testing.B) {
				before := cpuTime(b)
				benchmark(b, handlers[kind], requests[name])
				b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			})
		}
	}
}

// cpuTime returns how much time of the CPU this process has used.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
