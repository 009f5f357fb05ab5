package throttle

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"latchkey/models"
)

// Memory is a models.Attempts of one process. It forgets the bucket that was used longest ago where there are too many,
// so that no number of names takes more memory. It is safe for use by many goroutines.
type Memory struct {
	mu      sync.Mutex
	buckets *simplelru.LRU[string, times]
}

var _ models.Attempts = (*Memory)(nil)

// NewMemory returns a Memory of so many buckets at most.
func NewMemory(size int) (*Memory, error) {
	buckets, err := simplelru.NewLRU[string, times](size, nil)
	return &Memory{buckets: buckets}, err
}

// AttemptsIn implements models.Attempts.
func (m *Memory) AttemptsIn(_ context.Context, ids []string) ([]models.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []models.Attempt
	for _, id := range ids {
		if held, ok := m.buckets.Get(id); ok {
			list = append(list, attempt(id, held))
		}
	}
	return list, nil
}

// TakeAttempt implements models.Attempts.
func (m *Memory) TakeAttempt(_ context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range buckets {
		held, _ := m.buckets.Get(b.ID)
		if wait(b, held, now) > 0 {
			return nil, nil
		}
	}
	return m.put(buckets, now), nil
}

// AddAttempt implements models.Attempts.
func (m *Memory) AddAttempt(_ context.Context, buckets []models.Bucket, now time.Time) ([]models.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(buckets, now), nil
}

func (m *Memory) put(buckets []models.Bucket, now time.Time) []models.Attempt {
	list := make([]models.Attempt, len(buckets))
	for i, b := range buckets {
		held, _ := m.buckets.Get(b.ID)
		held = put(b, held, now)
		m.buckets.Add(b.ID, held)
		list[i] = attempt(b.ID, held)
	}
	return list
}

// ReturnAttempt implements models.Attempts.
func (m *Memory) ReturnAttempt(_ context.Context, buckets []models.Bucket) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range buckets {
		if held, ok := m.buckets.Get(b.ID); ok {
			m.buckets.Add(b.ID, without(b, held))
		}
	}
	return nil
}

// ForgetAttempts implements models.Attempts.
func (m *Memory) ForgetAttempts(_ context.Context, prefix string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, id := range m.buckets.Keys() {
		if strings.HasPrefix(id, prefix) && m.buckets.Remove(id) {
			n++
		}
	}
	return n, nil
}
