package watch_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/watch"
)

func TestUntil_LooksUntilItIsDone(t *testing.T) {
	looks := 0

	err := watch.Until(t.Context(), time.Microsecond, func() (bool, error) {
		looks++
		return looks == 5, nil
	})

	require.NoError(t, err)
	require.Equal(t, 5, looks)
}

func TestUntil_StopsAtAnError(t *testing.T) {
	broken := errors.New("broken")
	require.ErrorIs(t, watch.Until(t.Context(), time.Hour, func() (bool, error) { return false, broken }), broken)
}

func TestUntil_LooksOnceEvenWhenItIsTooLate(t *testing.T) {
	tired := errors.New("tired")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(tired)
	looks := 0

	err := watch.Until(ctx, time.Hour, func() (bool, error) {
		looks++
		return false, nil
	})

	require.ErrorIs(t, err, tired)
	require.Equal(t, 1, looks)
}
