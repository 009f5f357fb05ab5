package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"latchkey/auth"
	"latchkey/graph"
)

// counted is a request as the metrics see it.
func counted() (*metrics, *http.Request, *graph.Record) {
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	r = r.WithContext(auth.WithClient(r.Context(), auth.Client{IPAddress: "127.0.0.1"}))
	r.Pattern = "/graphql"
	return newMetrics(&App{}), r, &graph.Record{Answered: true, Name: "Guarded", Type: "query"}
}

func TestCountingARequestAllocatesNothing(t *testing.T) {
	m, r, record := counted()
	if n := testing.AllocsPerRun(100, func() { m.observe(r, http.StatusOK, record, time.Millisecond) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkCountARequest(b *testing.B) {
	m, r, record := counted()
	b.ReportAllocs()
	for b.Loop() {
		m.observe(r, http.StatusOK, record, time.Millisecond)
	}
}
