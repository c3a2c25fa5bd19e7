package stack_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/stack"
)

func TestMissing_NamesTheOneCommand(t *testing.T) {
	err := &stack.MissingError{Packages: []string{"nginx", "python3-venv"}}

	require.EqualError(t, err, "missing: nginx, python3-venv; as root run: apt-get install --yes --no-install-recommends nginx python3-venv")
}

func TestFindPrograms_TakesThePythonItIsGiven(t *testing.T) {
	programs, err := stack.FindPrograms(t.Context(), "/nowhere/python")

	var missing *stack.MissingError
	require.True(t, errors.As(err, &missing))
	require.Contains(t, missing.Packages, "python3-venv")
	require.Equal(t, "/nowhere/python", programs.Python)
}
