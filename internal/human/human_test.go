package human_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/human"
)

func TestBytes_AreInTheUnitThatFits(t *testing.T) {
	for want, n := range map[string]int64{
		"0.0 kB": 0, "4.0 kB": 4 << 10, "1023 kB": 1023 << 10, "1.0 MB": 1 << 20, "55 MB": 55 << 20, "1.5 GB": 3 << 29, "3000 GB": 3000 << 30,
	} {
		require.Equal(t, want, human.Bytes(n))
	}
}

func TestCount_HasItsThousandsApart(t *testing.T) {
	for want, n := range map[string]int{"0": 0, "999": 999, "1,000": 1000, "31,200": 31200, "1,234,567": 1234567} {
		require.Equal(t, want, human.Count(n))
	}
}
