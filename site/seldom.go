package site

import (
	"context"
	"sync"
	"time"
)

// seldom keeps what is expensive to read, and reads it anew beside what else is
// done when it has become old.
type seldom[K comparable, V any] struct {
	// every is how old a value may become.
	every  time.Duration
	mu     sync.Mutex
	values map[K]*rare[V]
}

type rare[V any] struct {
	value V
	read  time.Time
	// reading is closed when the reading under way ends; nil when there is none.
	reading chan struct{}
	asked   bool
}

// get returns the last value that was read. It waits for the first one only, and
// no longer than ctx.
func (s *seldom[K, V]) get(ctx context.Context, key K, read func() V) V {
	k := s.find(key)
	if first := s.refresh(k, read); first != nil {
		select {
		case <-first:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.value
}

func (s *seldom[K, V]) find(key K) *rare[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[K]*rare[V]{}
	}
	if s.values[key] == nil {
		s.values[key] = &rare[V]{}
	}
	s.values[key].asked = true
	return s.values[key]
}

// refresh begins a reading where one is due, and returns what tells the end of
// the first one while there is no value.
func (s *seldom[K, V]) refresh(k *rare[V], read func() V) (first <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.reading == nil && time.Since(k.read) >= s.every {
		k.reading = make(chan struct{})
		go s.store(k, read)
	}
	if k.read.IsZero() {
		return k.reading
	}
	return nil
}

func (s *seldom[K, V]) store(k *rare[V], read func() V) {
	value := read()
	s.mu.Lock()
	defer s.mu.Unlock()
	k.value, k.read = value, time.Now()
	close(k.reading)
	k.reading = nil
}

// forget drops what nobody has asked for since it was called before.
func (s *seldom[K, V]) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, k := range s.values {
		if !k.asked {
			delete(s.values, key)
		}
		k.asked = false
	}
}
