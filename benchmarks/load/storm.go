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
}

// runStorm starts the server anew for each round and prints what each round was like. Server and load share all cores.
func runStorm(binary, database string, rounds, connections int, length time.Duration) error {
	fmt.Printf("%d connections that sign in, a protected request every %v\n", connections, protectedPace)
	fmt.Printf("%28s %8s %8s %10s %12s %10s\n", "protected: median", "p99", "longest", "peak RSS", "sign-ins/s", "refused/s")
	for range rounds {
		w, err := storm(binary, database, connections, length)
		if err != nil {
			return err
		}
		slices.Sort(w.took)
		ms := func(share float64) float64 {
			return float64(w.took[int(share*float64(len(w.took)-1))].Microseconds()) / 1000
		}
		fmt.Printf("%25.1f ms %5.1f ms %5.0f ms %6d MiB %12.1f %10.1f\n", ms(0.5), ms(0.99), ms(1), w.peak>>20,
			float64(w.signedIn)/length.Seconds(), float64(w.refused)/length.Seconds())
	}
	return nil
}

func storm(binary, database string, connections int, length time.Duration) (weather, error) {
	latchkey, err := serve(binary, database)
	if err != nil {
		return weather{}, err
	}
	defer latchkey.stop()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections + 1000}}
	body, err := post(client, latchkey.url, signIn, "")
	if err != nil {
		return weather{}, err
	}
	access, _, err := tokens(body)
	if err != nil {
		return weather{}, err
	}

	var w weather
	begin := time.Now().Add(warmUp)
	end := begin.Add(length)
	failed := make(chan error, 1)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			if err := w.keepSigningIn(client, latchkey.url, begin, end); err != nil {
				fail(err)
			}
		})
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
			if err != nil {
				fail(err)
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return weather{}, err
	default:
	}
	w.peak, err = latchkey.memory("VmHWM")
	return w, err
}

const signIn = `mutation { t: tokenObtain(username: "ada", password: "` + password + `") { access refresh } }`

// keepSigningIn signs in again and again until the end, and counts from the beginning. Where it is refused it waits as
// long as it is told to.
func (w *weather) keepSigningIn(client *http.Client, url string, begin, end time.Time) error {
	for time.Now().Before(end) {
		body, err := post(client, url, signIn, "")
		if err != nil {
			return err
		}
		counter := &w.signedIn
		wait := refusal(body)
		if wait > 0 {
			counter = &w.refused
		} else if _, _, err := tokens(body); err != nil {
			return err
		}
		if now := time.Now(); now.After(begin) && now.Before(end) {
			atomic.AddInt64(counter, 1)
		}
		time.Sleep(min(wait, time.Until(end)))
	}
	return nil
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
