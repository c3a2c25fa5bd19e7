package tasks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ip is what the task prints, and says, with more variables.
func (d docker) ip(env ...string) (address, said string, err error) {
	var out, errors bytes.Buffer
	task := d.away("ip")
	task.Env = append(append(task.Env, "HADJANGO_HOST="), env...)
	task.Stdout, task.Stderr = &out, &errors
	err = task.Run()
	return strings.TrimSpace(out.String()), errors.String(), err
}

func TestIp_OfARemoteEngineIsNotGuessed(t *testing.T) {
	d := newDocker(t)
	const remote = "DOCKER_HOST=tcp://192.0.2.7:2375"

	address, said, err := d.ip(remote)
	require.Error(t, err)
	require.Empty(t, address)
	require.Contains(t, said, "nothing is up")
	require.Contains(t, said, "start it: docker compose up -d")

	d.say("port", "0.0.0.0:80\n")
	address, said, err = d.ip(remote)
	require.NoError(t, err, said)
	require.Equal(t, "192.0.2.7:80", address)

	require.NoError(t, os.Remove(filepath.Join(d.dir, "docker-compose.yml")))
	address, said, err = d.ip(remote)
	require.NoError(t, err, said)
	require.Regexp(t, `^127\.0\.0\.1:`, address)
}

func TestIp_IsThisMachinesNginxWhereNoContainerIsUp(t *testing.T) {
	d := newDocker(t)

	address, said, err := d.ip()
	require.NoError(t, err, said)
	require.Regexp(t, `^127\.0\.0\.1:`, address)
	require.Contains(t, said, "no container says where nginx is reached")

	_, said, err = d.ip("HADJANGO_HOST=compose")
	require.Error(t, err, said)
}

// Names below localhost are the browser's own machine, whatever /etc/hosts says.
func TestIp_AdvisesNamesThatLeadThere(t *testing.T) {
	d := newDocker(t)
	d.say("port", "192.0.2.1:80\n")
	d.add("live: [live.localhost, shop.example.com]\nstage: [stage.shop.example.com]")

	_, said, err := d.ip()
	require.NoError(t, err, said)
	require.Contains(t, said, "http://shop.example.com:80/ (live)")
	require.Contains(t, said, "192.0.2.1 shop.example.com stage.shop.example.com")

	d.say("port", "127.0.0.1:80\n")
	_, said, err = d.ip()
	require.NoError(t, err, said)
	require.Contains(t, said, "http://live.localhost:80/ (live)")
}

func TestIp_AdvisesAHeaderWhereNoNameLeadsThere(t *testing.T) {
	d := newDocker(t)
	d.say("port", "192.0.2.1:80\n")
	d.add("live: [live.localhost]")

	_, said, err := d.ip()

	require.NoError(t, err, said)
	require.Contains(t, said, "curl -H 'Host: live.localhost' http://192.0.2.1:80/")
	require.NotContains(t, said, "/etc/hosts")
}

func TestIp_IsToldOnce(t *testing.T) {
	d := newDocker(t)
	d.say("port", "0.0.0.0:99\n")

	out, err := d.away("ip", "status").Output()

	require.NoError(t, err)
	require.Regexp(t, `^127\.0\.0\.1:99\nBUILD`, string(out))
	require.NotContains(t, string(out)[len("127.0.0.1:99\n"):], "127.0.0.1")
}

func TestIp_WithinAContainerIsWhereItIsPublished(t *testing.T) {
	d := newDocker(t)
	for published, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1:99", "80": "127.0.0.1:80", "0.0.0.0:8080": "127.0.0.1:8080", "[::1]:80": "[::1]:80",
	} {
		address, said, err := d.ip("HADJANGO_NGINX=nginx:8080", "HADJANGO_PUBLISH="+published)

		require.NoError(t, err, said)
		require.Equal(t, want, address)
	}
}
