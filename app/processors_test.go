package app_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"

	"latchkey/app"
	"latchkey/internal/testdb"
	"latchkey/internal/testkit"
)

func TestProcessorsForHashing(t *testing.T) {
	for name, test := range map[string]struct{ present, cores, slots, want int }{
		"one core":                       {1, 1, 1, 2},
		"two cores":                      {2, 2, 2, 4},
		"four cores":                     {4, 4, 4, 8},
		"cores that hashing leaves free": {8, 8, 4, 8},
		"a container of two cores":       {2, 8, 2, 2},
		"already raised":                 {4, 2, 2, 4},
	} {
		t.Run(name, func(t *testing.T) {
			if got := app.Processors(test.present, test.cores, test.slots); got != test.want {
				t.Errorf("Processors(%d, %d, %d) = %d, want %d", test.present, test.cores, test.slots, got, test.want)
			}
		})
	}
}

func TestServeLeavesRoomBesideTheHashes(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	runtime.GOMAXPROCS(runtime.NumCPU())
	present := runtime.GOMAXPROCS(0)

	a, _ := testkit.Open(t, testdb.SQLite(t))
	a.Settings.Addr = "127.0.0.1:0"
	l, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- a.Serve(ctx, l) }()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() //nolint:errcheck // nothing was written
	if got, want := runtime.GOMAXPROCS(0), app.Processors(present, present, min(present, 4)); got != want {
		t.Errorf("%d processors are used, want %d", got, want)
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if got := runtime.GOMAXPROCS(0); got != present {
		t.Errorf("%d processors are used afterwards, want %d as before", got, present)
	}
}
