package services

import (
	"net"
	"testing"
)

// Memcached starts one and returns its URL.
func Memcached(t testing.TB) (cacheURL string) {
	t.Helper()
	s := prepare(t, "memcached")
	s.start(func(conn net.Conn) error { return exchange(conn, "version\r\n", "VERSION ") },
		"memcached", "--listen", s.host, "--port", s.port, "--udp-port", "0", "--memory-limit", "16")
	return "memcached://" + s.address()
}

// Redis starts one that writes nothing to disk and returns its URL.
func Redis(t testing.TB) (cacheURL string) {
	t.Helper()
	s := prepare(t, "redis-server")
	s.start(func(conn net.Conn) error { return exchange(conn, "PING\r\n", "+PONG") },
		"redis-server", "--bind", s.host, "--port", s.port, "--save", "", "--appendonly", "no")
	return "redis://" + s.address() + "/0"
}
