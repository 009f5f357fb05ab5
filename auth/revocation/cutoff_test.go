package revocation_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What told of changed keys may have been deleted when a node comes back that was cut off for long.
func TestANodeThatWasCutOffForLongReadsTheKeysAnew(t *testing.T) {
	for _, test := range []struct {
		name string
		away time.Duration
		want int64
	}{
		{"for a minute", time.Minute, 0},
		{"for an hour", time.Hour, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &feed{}
				n := run(t, f)
				f.set(func() { f.err = errors.New("made up") })
				<-time.After(test.away) // of the bubble
				f.set(func() { f.err = nil })
				<-time.After(time.Second)
				if got := n.reloads.Load(); got != test.want {
					t.Errorf("the keys were read anew %d times, want %d", got, test.want)
				}
			})
		})
	}
}
