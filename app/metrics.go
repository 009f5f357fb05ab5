package app

import (
	"cmp"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"latchkey/auth"
	"latchkey/graph"
)

// maxOperationNames bounds how many names of operations the metrics tell apart: clients choose them, and each costs some
// twenty series. Half of them are for signed-in users, so that strangers cannot use up all.
const maxOperationNames = 100

// durationBuckets are the upper bounds of the histograms, in seconds: 100 µs, about what a request costs that is answered
// from memory, to 10 s, when it is given up.
func durationBuckets() []float64 {
	return []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// metrics is what is counted as it happens. What others count already is read when somebody asks: see stateCollector.
type metrics struct {
	registry *prometheus.Registry
	names    operationNames

	inFlight         prometheus.Gauge
	requests         *prometheus.CounterVec
	requestSeconds   *prometheus.HistogramVec
	operations       *prometheus.CounterVec
	operationSeconds *prometheus.HistogramVec
}

// newMetrics returns the metrics of a, in a registry of their own.
func newMetrics(a *App) *metrics {
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durationBuckets()}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "latchkey_http_requests_in_flight", Help: "HTTP requests that are being answered.",
		}),
		requests: counter("latchkey_http_requests_total",
			"HTTP requests by route, \"none\" where there is none, and by class of status.", "route", "status"),
		requestSeconds: histogram("latchkey_http_request_duration_seconds",
			"How long HTTP requests took, by route.", "route"),
		operations: counter("latchkey_graphql_operations_total",
			"GraphQL requests by name and type of the operation and by outcome: OK, or the code of the first error.",
			"operation", "type", "code"),
		operationSeconds: histogram("latchkey_graphql_operation_duration_seconds",
			"How long GraphQL requests took, by name and type of the operation.", "operation", "type"),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.inFlight, m.requests, m.requestSeconds, m.operations, m.operationSeconds,
		newStateCollector(a),
	)
	return m
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: metricsTimeout}))
	return mux
}

// observe counts a request that was answered.
func (m *metrics) observe(r *http.Request, status int, record *graph.Record, took time.Duration) {
	route := routeOf(r)
	m.requests.WithLabelValues(route, statusClass(status)).Inc()
	m.requestSeconds.WithLabelValues(route).Observe(took.Seconds())
	if !record.Answered {
		return
	}
	name := m.names.label(record, auth.SeenCaller(r.Context()) != nil)
	kind, code := cmp.Or(record.Type, "unknown"), "OK"
	if len(record.Codes) > 0 {
		code = record.Codes[0]
	}
	m.operations.WithLabelValues(name, kind, code).Inc()
	m.operationSeconds.WithLabelValues(name, kind).Observe(took.Seconds())
}

// routeOf returns the route that answered a request, without its method and the sign of an exact match.
func routeOf(r *http.Request) string {
	route := r.Pattern
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	return cmp.Or(strings.TrimSuffix(route, "{$}"), "none")
}

// statusClass returns 2xx for 200.
func statusClass(status int) string {
	switch status / 100 {
	case 1:
		return "1xx"
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	default:
		return "5xx"
	}
}

// operationNames is the names of operations that are told apart. The zero value is ready; it is safe for use by many
// goroutines.
type operationNames struct {
	mu        sync.RWMutex
	known     map[string]bool
	strangers int // how many of them somebody brought who was not signed in
}

// label returns what an operation is called: its name while there is room for it, else other.
func (n *operationNames) label(record *graph.Record, signedIn bool) string {
	name := record.Name
	switch {
	case record.Type == "":
		return "unknown"
	case name == "":
		return "anonymous"
	case n.has(name) || n.add(name, signedIn):
		return name
	default:
		return "other"
	}
}

func (n *operationNames) has(name string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.known[name]
}

func (n *operationNames) add(name string, signedIn bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[name] {
		return true
	}
	if len(n.known) >= maxOperationNames || !signedIn && n.strangers >= maxOperationNames/2 {
		return false
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[strings.Clone(name)] = true // and not the document that it is a part of
	if !signedIn {
		n.strangers++
	}
	return true
}

// stateCollector reads what the parts of an App count by themselves.
type stateCollector struct {
	app  *App
	read []reading
}

// reading is one metric and where its values come from.
type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*snapshot, emit)
}

// emit takes a value with its labels.
type emit func(value float64, labels ...string)

// snapshot is what is asked once for all readings.
type snapshot struct {
	app     *App
	service auth.Stats
}

func newStateCollector(a *App) *stateCollector {
	c := &stateCollector{app: a}
	add := func(kind prometheus.ValueType, name, help string, read func(*snapshot, emit), labels ...string) {
		c.read = append(c.read, reading{prometheus.NewDesc(name, help, labels, nil), kind, read})
	}
	gauge := func(name, help string, read func(*snapshot, emit), labels ...string) {
		add(prometheus.GaugeValue, name, help, read, labels...)
	}
	counter := func(name, help string, read func(*snapshot, emit), labels ...string) {
		add(prometheus.CounterValue, name, help, read, labels...)
	}

	version, revision := BuildInfo()
	gauge("latchkey_build_info", "1, with what the program was built from.", func(_ *snapshot, out emit) {
		out(1, version, revision, runtime.Version())
	}, "version", "revision", "goversion")

	counter("latchkey_sign_ins_total", "Tries to sign in by outcome, over GraphQL and REST.", func(s *snapshot, out emit) {
		each(s.service.SignIns, out)
	}, "outcome")
	counter("latchkey_refreshes_total", "Tries to refresh a session by outcome, over GraphQL and REST.", func(s *snapshot, out emit) {
		each(s.service.Refreshes, out)
	}, "outcome")
	counter("latchkey_token_cache_lookups_total", "Access tokens that were known from before (hit), and that were not (miss) and had their signature checked.",
		func(s *snapshot, out emit) {
			out(float64(s.service.TokensKnown), "hit")
			out(float64(s.service.TokensChecked), "miss")
		}, "result")

	counter("latchkey_events_total", "Audit events by name.", func(s *snapshot, out emit) {
		each(s.app.Recorder.Counts(), out)
	}, "event")
	gauge("latchkey_audit_waiting_rows", "Rows of failures that are not written to the database yet.", func(s *snapshot, out emit) {
		out(float64(s.app.Recorder.Stats().Waiting))
	})
	counter("latchkey_audit_write_failures_total", "Tries to write rows of failures that failed; they are made again.", func(s *snapshot, out emit) {
		out(float64(s.app.Recorder.Stats().Unwritten))
	})

	gauge("latchkey_revocation_feed_age_seconds", "How long ago this node last knew everything that was revoked.", func(s *snapshot, out emit) {
		out(s.service.FeedAge.Seconds())
	})
	gauge("latchkey_revocations", "Sessions and users in memory whose access tokens are refused.", func(s *snapshot, out emit) {
		out(float64(s.service.Revocations))
	})

	gauge("latchkey_password_hashes_running", "Passwords that are being hashed.", func(s *snapshot, out emit) {
		out(float64(s.service.Passwords.Running))
	})
	gauge("latchkey_password_hashes_waiting", "Passwords that wait to be hashed.", func(s *snapshot, out emit) {
		out(float64(s.service.Passwords.Waiting))
	})
	gauge("latchkey_password_hash_slots", "How many passwords are hashed at once.", func(s *snapshot, out emit) {
		out(float64(s.service.Passwords.Slots))
	})
	counter("latchkey_password_hashes_refused_total", "Passwords that were not hashed because too many waited.", func(s *snapshot, out emit) {
		out(float64(s.service.Passwords.Refused))
	})

	gauge("latchkey_signing_keys", "Keys whose tokens are accepted.", func(s *snapshot, out emit) {
		out(float64(s.app.Keys.Ring().Len()))
	})
	gauge("latchkey_signing_key_activated_timestamp_seconds", "When the key took over that signs; not there for a key in the settings.",
		func(s *snapshot, out emit) {
			if since := s.app.Keys.Ring().SigningSince(); !since.IsZero() {
				out(float64(since.Unix()))
			}
		})

	gauge("latchkey_db_connections", "Connections to the database by pool and state.", func(s *snapshot, out emit) {
		for _, p := range s.app.Store.PoolStats() {
			out(float64(p.InUse), p.Name, "in_use")
			out(float64(p.Idle), p.Name, "idle")
		}
	}, "pool", "state")
	gauge("latchkey_db_connections_max", "The most connections that a pool makes.", func(s *snapshot, out emit) {
		for _, p := range s.app.Store.PoolStats() {
			out(float64(p.MaxOpenConnections), p.Name)
		}
	}, "pool")
	counter("latchkey_db_connection_waits_total", "How often somebody had to wait for a connection.", func(s *snapshot, out emit) {
		for _, p := range s.app.Store.PoolStats() {
			out(float64(p.WaitCount), p.Name)
		}
	}, "pool")
	counter("latchkey_db_connection_wait_seconds_total", "How long those who had to wait for a connection waited, in all.", func(s *snapshot, out emit) {
		for _, p := range s.app.Store.PoolStats() {
			out(p.WaitDuration.Seconds(), p.Name)
		}
	}, "pool")
	return c
}

func each[K ~string](counts map[K]uint64, out emit) {
	for name, n := range counts {
		out(float64(n), string(name))
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, r := range c.read {
		descs <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(list chan<- prometheus.Metric) {
	s := &snapshot{app: c.app, service: c.app.Auth.Stats()}
	for _, r := range c.read {
		r.read(s, func(value float64, labels ...string) {
			list <- prometheus.MustNewConstMetric(r.desc, r.kind, value, labels...)
		})
	}
}
