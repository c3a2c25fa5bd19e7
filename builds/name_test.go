package builds_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

func TestPort_FollowsTheNames(t *testing.T) {
	for text, want := range map[string]int{
		"a": 2000, "a1": 2001, "b": 2010, "z": 2250, "z9": 2259, "aa": 2260, "az": 2510, "ba": 2520, "zz": 9010, "aaa": 9020,
	} {
		t.Run(text, func(t *testing.T) {
			endpoint, err := builds.ParseEndpoint(text)
			require.NoError(t, err)
			port, err := endpoint.Port(builds.DefaultPort)
			require.NoError(t, err)
			require.Equal(t, want, port)
		})
	}
}

func TestParseName_RefusesEverythingThatCouldLeaveTheStore(t *testing.T) {
	for _, text := range []string{
		"", ".", "..", "../x", "/", "a/b", "a/", "A", "ä", "a1", "1", "-a", "--all", " a", "a\n", "a\x00", "_live", "zzzz", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			_, err := builds.ParseName(text)
			var refused *builds.NameError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, text, refused.Text)
			require.ErrorContains(t, err, "one or more letters a–z")
		})
	}
}

func TestPort_ThatDoesNotExistIsAnError(t *testing.T) {
	last := builds.NameAt(6352)
	_, err := builds.ParseName(string(last))
	require.NoError(t, err)
	port, err := builds.Endpoint{Build: last, Offset: 9}.Port(builds.DefaultPort)
	require.NoError(t, err)
	require.Equal(t, 65529, port)

	_, err = builds.ParseName(string(builds.NameAt(6353)))
	require.Error(t, err)
	_, err = builds.Endpoint{Build: last}.Port(50000)
	require.ErrorContains(t, err, "set a lower first port")
	_, err = builds.EndpointAt(1999, 2000)
	require.Error(t, err)
}

func FuzzParseEndpoint_RoundTrip(f *testing.F) {
	for _, seed := range []string{"a", "a1", "z9", "aa", "ijh9", "..", "a0", "a10", "é", "-a", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		endpoint, err := builds.ParseEndpoint(text)
		if err != nil {
			return
		}
		require.Equal(t, text, endpoint.String())
		port, err := endpoint.Port(builds.DefaultPort)
		require.NoError(t, err)
		back, err := builds.EndpointAt(port, builds.DefaultPort)
		require.NoError(t, err)
		require.Equal(t, endpoint, back)
		require.Equal(t, endpoint.Build, builds.NameAt(endpoint.Build.Index()))

		path := builds.OpenStore("/store").Path(endpoint.Build)
		require.Equal(t, "/store", filepath.Dir(path))
	})
}

func FuzzNameAt_RoundTrip(f *testing.F) {
	f.Add(0)
	f.Add(6352)
	f.Fuzz(func(t *testing.T, index int) {
		if index < 0 || index > 6352 {
			return
		}
		name, err := builds.ParseName(string(builds.NameAt(index)))
		require.NoError(t, err)
		require.Equal(t, index, name.Index())
	})
}

func ExampleEndpoint_Port() {
	for _, text := range []string{"a", "a1", "b", "z", "aa"} {
		endpoint, _ := builds.ParseEndpoint(text)
		port, _ := endpoint.Port(builds.DefaultPort)
		fmt.Println(text, port)
	}
	// Output:
	// a 2000
	// a1 2001
	// b 2010
	// z 2250
	// aa 2260
}
