package services_test

import (
	"bufio"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
	"github.com/hadjango/hadjango/internal/services"
)

func TestEach_AnswersAtOnceAndIsGoneWithItsTest(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{
		"MariaDB": services.MariaDB, "PostgreSQL": services.PostgreSQL, "memcached": services.Memcached, "redis": services.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var address string
			t.Run("while it runs", func(t *testing.T) {
				address = hostPort(t, start(t))
				conn, err := net.Dial("tcp", address)
				require.NoError(t, err)
				require.NoError(t, conn.Close())
			})
			require.NotEmpty(t, address)
			_, err := net.Dial("tcp", address)
			require.Error(t, err)
		})
	}
}

func hostPort(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return parsed.Host
}

func TestMemcached_KeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	conn, err := net.Dial("tcp", hostPort(t, services.Memcached(t)))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("set a 0 0 5\r\nhello\r\nget a\r\n"))
	require.NoError(t, err)
	answer := bufio.NewReader(conn)
	for _, want := range []string{"STORED\r\n", "VALUE a 0 5\r\n", "hello\r\n"} {
		line, err := answer.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, want, line)
	}
}

// A project's own tests make a database and drop it.
func TestDatabases_LetTheirOwnerMakeMore(t *testing.T) {
	t.Parallel()
	const sql = "CREATE DATABASE another"
	t.Run("MariaDB", func(t *testing.T) {
		at, err := url.Parse(services.MariaDB(t))
		require.NoError(t, err)
		password, _ := at.User.Password()
		runClient(t, "mariadb", "--no-defaults", "--protocol=tcp", "--host="+at.Hostname(), "--port="+at.Port(),
			"--user="+at.User.Username(), "--password="+password, "--execute="+sql, strings.TrimPrefix(at.Path, "/"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		runClient(t, "psql", "--no-psqlrc", "--command="+sql, services.PostgreSQL(t))
	})
}

func runClient(t *testing.T, args ...string) {
	t.Helper()
	require.NoError(t, command.Command{Args: args, Dir: t.TempDir()}.Run(t.Context()))
}
