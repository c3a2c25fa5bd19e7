package containers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/command"
)

func needDocker(t *testing.T) {
	t.Helper()
	if command.Look("docker") == "" {
		t.Skip("docker is not installed")
	}
}

func docker(t *testing.T, args ...string) {
	t.Helper()
	require.NoError(t, command.Command{Args: append([]string{"docker"}, args...), Dir: "/"}.Run(t.Context()))
}
