package containers_test

import (
	"bufio"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/containers"
)

func TestMachineOf_IsWhereTheEngineIs(t *testing.T) {
	for endpoint, machine := range map[string]string{
		"":                                 "",
		"unix:///var/run/docker.sock":      "",
		"npipe:////./pipe/docker_engine":   "",
		"tcp://127.0.0.1:2375":             "",
		"ssh://me@localhost":               "",
		"tcp://192.0.2.7:2376":             "192.0.2.7",
		"tcp://[2001:db8::7]:2376":         "2001:db8::7",
		"ssh://deploy@docker.example.com":  "docker.example.com",
		"ssh://docker.example.com:2222":    "docker.example.com",
		"https://engine.example.com/proxy": "engine.example.com",
	} {
		got, err := containers.MachineOf(t.Context(), endpoint)

		require.NoError(t, err, endpoint)
		require.Equal(t, machine, got, endpoint)
	}
}

func TestMachineOf_RefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := containers.MachineOf(t.Context(), "gopher://somewhere")

	require.EqualError(t, err, `the engine "gopher://somewhere": gopher is none of unix, tcp and ssh`)
}

func TestReachable(t *testing.T) {
	for _, test := range []struct {
		name, machine, published, address string
		own                               bool
	}{
		{"this machine, all addresses", "", "0.0.0.0:8080", "127.0.0.1:8080", false},
		{"this machine, IPv6", "", "[::]:8080", "[::1]:8080", false},
		{"this machine, whatever it says", "", ":8080", "127.0.0.1:8080", false},
		{"this machine only", "", "127.0.0.1:8080", "127.0.0.1:8080", false},
		{"one address", "", "192.0.2.1:80", "192.0.2.1:80", false},
		{"another machine", "192.0.2.7", "0.0.0.0:80", "192.0.2.7:80", false},
		{"another machine, by IPv6", "2001:db8::7", "0.0.0.0:80", "[2001:db8::7]:80", false},
		{"another machine's other address", "192.0.2.7", "192.0.2.8:80", "192.0.2.8:80", false},
		{"another machine, for itself only", "192.0.2.7", "127.0.0.1:8080", "192.0.2.7:8080", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, own := containers.Reachable(test.machine, test.published)

			require.Equal(t, test.address, address)
			require.Equal(t, test.own, own)
		})
	}
}

func TestEngine_IsWhatTheEnvironmentSaysBeforeTheContext(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://192.0.2.9:2375")

	endpoint, err := containers.Engine(t.Context())

	require.NoError(t, err)
	require.Equal(t, "tcp://192.0.2.9:2375", endpoint)
}

func TestEngine_IsThatOfTheCurrentContext(t *testing.T) {
	needDocker(t)
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	docker(t, "context", "create", "faraway", "--docker", "host=ssh://deploy@192.0.2.7")
	docker(t, "context", "use", "faraway")

	endpoint, err := containers.Engine(t.Context())
	require.NoError(t, err)
	machine, err := containers.MachineOf(t.Context(), endpoint)

	require.NoError(t, err)
	require.Equal(t, "192.0.2.7", machine)
}

// What docker-compose 1.29 and the versions of docker compose print, and lines of
// both kinds of addresses.
func TestPublished_IsTheAddressThatComposePrints(t *testing.T) {
	for _, test := range []struct{ name, printed, address string }{
		{"all addresses", "0.0.0.0:8080\n", "0.0.0.0:8080"},
		{"one address", "127.0.0.1:8080\n", "127.0.0.1:8080"},
		{"all of IPv6", ":::8080\n", "[::]:8080"},
		{"loopback of IPv6", "::1:8080\n", "[::1]:8080"},
		{"IPv6 in brackets", "[::]:8080\n", "[::]:8080"},
		{"an address of IPv6", "2001:db8::7:80\n", "[2001:db8::7]:80"},
		{"both", ":::8080\n0.0.0.0:8080\n", "0.0.0.0:8080"},
		{"no address", ":8080\n", ":8080"},
		{"a warning before it", "WARN[0000] the attribute `version` is obsolete\n0.0.0.0:80\n", "0.0.0.0:80"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, err := containers.Compose{"printf", "%.0s%.0s%.0s" + strings.ReplaceAll(test.printed, "%", "%%")}.Published(t.Context(), "/", "nginx", "8080")

			require.NoError(t, err)
			require.Equal(t, test.address, address)
		})
	}
}

func TestPublished_RefusesWhatNobodyReaches(t *testing.T) {
	for _, printed := range []string{"", ":0", "0.0.0.0:0", "invalid IP:0", "0.0.0.0:65536", "0.0.0.0"} {
		_, err := containers.Compose{"printf", "%.0s%.0s%.0s" + printed}.Published(t.Context(), "/", "nginx", "8080")

		require.EqualError(t, err, "port 8080 of nginx is not published", printed)
	}
}

func TestDescribed_LooksForAFileThatComposeReads(t *testing.T) {
	t.Setenv("COMPOSE_FILE", "")
	dir := t.TempDir()
	require.False(t, containers.Described(dir))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "compose.yaml"), nil, 0o644))

	require.True(t, containers.Described(dir))
}

// Our own machine stands for a container: what has the variable gets the signal,
// with all of its group, and nobody else does.
func TestSignal_ReachesAllThatWereStartedWithTheVariable(t *testing.T) {
	mark := "HADJANGO_TEST_MARK=" + rand.Text()
	marked := exec.Command("sh", "-c", "echo ready; env -i sleep 1000; echo survived")
	marked.Env = append(os.Environ(), mark)
	marked.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdout, err := marked.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, marked.Start())
	out := bufio.NewReader(stdout)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	signal := func(mark string) error {
		args := containers.Compose{}.Signal("web", mark, "TERM")
		require.Equal(t, []string{"exec", "-T", "web"}, args[:3])
		return exec.Command(args[3], args[4:]...).Run()
	}

	require.Error(t, signal(mark+"x"))
	require.NoError(t, signal(mark))

	rest, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Empty(t, string(rest))
	require.Error(t, marked.Wait())
	require.Error(t, signal(mark), "nobody is left")
}
