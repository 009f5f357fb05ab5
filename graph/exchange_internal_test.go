package graph

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

type testKey struct{}

func TestAnExchangeEndsAtItsDeadline(t *testing.T) {
	for name, wait := range map[string]func(*exchange){
		"waited for":     func(x *exchange) { <-x.Done() },
		"not waited for": func(*exchange) { <-time.After(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				x := newExchange(t.Context(), http.Header{}, time.Minute)
				defer x.end()
				if x.Err() != nil {
					t.Errorf("at once: got %v", x.Err())
				}
				wait(x)
				if got := time.Since(began); got != time.Minute {
					t.Errorf("after %v", got)
				}
				if !errors.Is(x.Err(), context.DeadlineExceeded) {
					t.Errorf("got %v", x.Err())
				}
				select {
				case <-x.Done():
				default:
					t.Error("it is over and not done")
				}
			})
		})
	}
}

func TestAnExchangeEndsWithItsParent(t *testing.T) {
	for name, wait := range map[string]func(*exchange){"waited for": func(x *exchange) { x.Done() }, "not waited for": func(*exchange) {}} {
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), testKey{}, "value"))
		x := newExchange(parent, http.Header{}, time.Minute)
		wait(x)
		if x.Err() != nil || x.Value(testKey{}) != "value" || x.Value(exchangeKey{}) != x {
			t.Errorf("%s: before: got %v, %v", name, x.Err(), x.Value(testKey{}))
		}
		cancel()
		<-x.Done()
		if !errors.Is(x.Err(), context.Canceled) || x.Value(testKey{}) != "value" {
			t.Errorf("%s: got %v, %v", name, x.Err(), x.Value(testKey{}))
		}
		x.end()
	}
}

func TestAnExchangeHasTheEarlierOfTwoDeadlines(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	want, _ := parent.Deadline()
	if got, ok := newExchange(parent, nil, time.Minute).Deadline(); !ok || !got.Equal(want) {
		t.Errorf("got %v, want the parent's %v", got, want)
	}
	if got, ok := newExchange(parent, nil, time.Millisecond).Deadline(); !ok || !got.Before(want) {
		t.Errorf("got %v, want its own, before %v", got, want)
	}
}

func TestAContextMadeFromAnExchangeEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newExchange(t.Context(), http.Header{}, time.Minute)
		child, cancel := context.WithCancel(context.WithValue(x, testKey{}, 1))
		defer cancel()
		x.end()
		<-child.Done()
		if !errors.Is(child.Err(), context.Canceled) {
			t.Errorf("got %v", child.Err())
		}
	})
}
