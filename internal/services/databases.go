package services

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// MariaDB starts one with an empty database and returns the database's URL.
func MariaDB(t testing.TB) (databaseURL string) {
	t.Helper()
	s := prepare(t, "mariadb-install-db", "mariadbd")
	// small files: all that is in them is thrown away with the test
	common := []string{"--no-defaults", "--datadir=" + s.path("data"), "--innodb-log-file-size=10M", "--innodb-buffer-pool-size=64M"}
	s.run(append([]string{"mariadb-install-db"}, append(common, "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal")...)...)
	// owner may make databases, because a project's own tests do
	s.write("init.sql", fmt.Sprintf("CREATE DATABASE %[1]s CHARACTER SET utf8mb4;\n"+
		"CREATE USER %[1]s@'127.0.0.1' IDENTIFIED BY '%[2]s';\nGRANT ALL ON *.* TO %[1]s@'127.0.0.1';\n", owner, password))
	s.start(greets, append([]string{"mariadbd"}, append(common,
		"--bind-address="+s.host, "--port="+s.port, "--socket="+s.path("socket"), "--skip-name-resolve",
		"--init-file="+s.path("init.sql"), "--innodb-flush-log-at-trx-commit=2", "--innodb-fast-shutdown=2")...)...)
	return fmt.Sprintf("mysql://%s:%s@%s/%s", owner, password, s.address(), owner)
}

// greets waits for the server's first packet, which begins with its length,
// the number 0 and the protocol's version.
func greets(conn net.Conn) error {
	const number, version = 3, 4
	var packet [5]byte
	if _, err := io.ReadFull(conn, packet[:]); err != nil {
		return err
	}
	if packet[number] != 0 || packet[version] != 10 {
		return fmt.Errorf("it does not greet as MariaDB does but with %q", packet)
	}
	return nil
}

// PostgreSQL starts one with an empty database and returns the database's URL.
func PostgreSQL(t testing.TB) (databaseURL string) {
	t.Helper()
	s := prepare(t, "initdb", "postgres")
	s.write("password", password)
	s.run("initdb", "--pgdata", s.path("data"), "--username", owner, "--pwfile", s.path("password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	s.start(takesStartup, "postgres", "-D", s.path("data"), "-h", s.host, "-p", s.port, "-k", s.dir, "-F")
	return fmt.Sprintf("postgres://%s:%s@%s/%s", owner, password, s.address(), "postgres")
}

// takesStartup says hello as the user would, and is asked for the password:
// before it is ready a server answers with an error.
func takesStartup(conn net.Conn) error {
	body := "\x00\x03\x00\x00user\x00" + owner + "\x00database\x00postgres\x00\x00"
	return exchange(conn, fmt.Sprintf("\x00\x00\x00%c%s", len(body)+4, body), "R")
}

func (s service) write(name, text string) {
	s.Helper()
	require.NoError(s, os.WriteFile(s.path(name), []byte(text), 0o600))
	require.NoError(s, s.user.Own(s.path(name)))
}
