// Package composetest tests docker-compose.yml and the Dockerfile on a real
// engine, where it is asked to:
//
//	go tool mage check -compose
//	HADJANGO_TEST_COMPOSE=1 go test -v -timeout 30m ./internal/composetest
//
// It needs root, and Debian's docker.io, docker-compose and debootstrap; no
// registry of images. The engine runs in a network, a process tree and a view of
// the file systems of its own, and is gone with the test.
package composetest
