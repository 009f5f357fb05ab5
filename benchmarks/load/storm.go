package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	protectedPace = time.Millisecond // between two protected requests
	warmUp        = 2 * time.Second
)

// weather is what a storm was like.
type weather struct {
	took              []time.Duration // by each protected request, in order
	signedIn, refused int64
	peak              int64 // most resident memory of the server, in bytes

	mu       sync.Mutex
	failed   int   // requests that had no answer, or another one
	firstErr error // of the first of them
}

// runStorm starts the server anew for each round and prints what each round was like. Server and load share all cores.
func runStorm(binary, database string, rounds, connections int, length time.Duration) error {
	fmt.Printf("%d connections that sign in, a protected request every %v\n", connections, protectedPace)
	fmt.Printf("%28s %8s %8s %10s %12s %10s %8s\n", "protected: median", "p99", "longest", "peak RSS", "sign-ins/s", "refused/s",
		"failed")
	for range rounds {
		w, err := storm(binary, database, connections, length)
		if err != nil {
			return err
		}
		slices.Sort(w.took)
		ms := func(share float64) float64 {
			return float64(w.took[int(share*float64(len(w.took)-1))].Microseconds()) / 1000
		}
		fmt.Printf("%25.1f ms %5.1f ms %5.0f ms %6d MiB %12.1f %10.1f %8d\n", ms(0.5), ms(0.99), ms(1), w.peak>>20,
			float64(w.signedIn)/length.Seconds(), float64(w.refused)/length.Seconds(), w.failed)
		if w.firstErr != nil {
			fmt.Println("the first failure:", w.firstErr)
		}
	}
	return nil
}

func storm(binary, database string, connections int, length time.Duration) (*weather, error) {
	latchkey, err := serve(binary, database)
	if err != nil {
		return nil, err
	}
	defer latchkey.stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections + 1000}}
	body, err := post(client, latchkey.url, signIn, "")
	if err != nil {
		return nil, err
	}
	access, _, err := tokens(body)
	if err != nil {
		return nil, err
	}

	w := new(weather)
	begin := time.Now().Add(warmUp)
	end := begin.Add(length)
	var group sync.WaitGroup
	for range connections {
		group.Go(func() { w.keepSigningIn(client, latchkey.url, begin, end) })
	}
	w.took = make([]time.Duration, length/protectedPace)
	for i := range w.took {
		// They leave at their times whether or not the earlier ones were answered.
		time.Sleep(time.Until(begin.Add(time.Duration(i) * protectedPace)))
		group.Go(func() {
			sent := time.Now()
			body, err := post(client, latchkey.url, "{ protected }", access)
			w.took[i] = time.Since(sent)
			if err == nil && !bytes.Contains(body, []byte("This view is protected")) {
				err = errors.New(string(body))
			}
			w.note(err)
		})
	}
	group.Wait()
	if w.signedIn == 0 {
		return nil, errors.Join(errors.New("nobody could sign in"), w.firstErr)
	}
	w.peak, err = latchkey.memory("VmHWM")
	return w, err
}

// note counts a request that failed.
func (w *weather) note(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed++
	if w.firstErr == nil {
		w.firstErr = err
	}
}

const signIn = `mutation { t: tokenObtain(username: "ada", password: "` + password + `") { access refresh } }`

// keepSigningIn signs in again and again until the end, and counts from the beginning. Where it is refused it waits as
// long as it is told to, and a second where it failed.
func (w *weather) keepSigningIn(client *http.Client, url string, begin, end time.Time) {
	for time.Now().Before(end) {
		counter := &w.signedIn
		body, err := post(client, url, signIn, "")
		wait := refusal(body)
		if wait > 0 {
			counter = &w.refused
		} else if err == nil {
			_, _, err = tokens(body)
		}
		if err != nil {
			w.note(err)
			wait = time.Second
		} else if now := time.Now(); now.After(begin) && now.Before(end) {
			atomic.AddInt64(counter, 1)
		}
		time.Sleep(min(wait, time.Until(end)))
	}
}

// refusal returns how long a RATE_LIMITED answer tells to wait, and 0 for any other.
func refusal(body []byte) time.Duration {
	var answer struct {
		Errors []struct {
			Extensions struct {
				Code       string
				RetryAfter int
			}
		}
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Errors) == 0 || answer.Errors[0].Extensions.Code != "RATE_LIMITED" {
		return 0
	}
	return time.Duration(answer.Errors[0].Extensions.RetryAfter) * time.Second
}
