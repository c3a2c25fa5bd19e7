package builds

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// DefaultPort is the first port of build a where nothing else is configured.
	DefaultPort = 2000
	// PortsPerBuild is how many ports each build has for itself.
	PortsPerBuild = 10

	maxPort = 65535
	// maxIndex is the last build whose ten ports exist when a begins at DefaultPort.
	maxIndex = (maxPort-DefaultPort+1)/PortsPerBuild - 1
)

// Name is the name of a build: a … z, aa, ab, … in bijective base 26. Only
// [ParseName], [NameAt] and [Name.UnmarshalText] make one, so a Name is always safe in a path.
type Name string

// NameError says that a text is not the name of a build.
type NameError struct{ Text string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%q is not the name of a build: one or more letters a–z, at most %s", e.Text, NameAt(maxIndex))
}

// ParseName takes text from people. What it returns names a directory below
// the store's and nothing else; all else is a [*NameError].
func ParseName(text string) (Name, error) {
	if text == "" || len(text) > len(NameAt(maxIndex)) || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz") != "" {
		return "", &NameError{text}
	}
	n := Name(text)
	if n.Index() > maxIndex {
		return "", &NameError{text}
	}
	return n, nil
}

// UnmarshalText reads a name from a file, which may hold anything: it refuses
// what [ParseName] refuses. An empty one is no build's.
func (n *Name) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*n = ""
		return nil
	}
	name, err := ParseName(string(text))
	*n = name
	return err
}

// NameAt returns the name at an index: 0 is a, 25 is z, 26 is aa.
func NameAt(index int) Name {
	var letters []byte
	for n := index + 1; n > 0; n = (n - 1) / 26 {
		letters = append([]byte{byte('a' + (n-1)%26)}, letters...)
	}
	return Name(letters)
}

// Index counts from 0 for a; names and indexes are in one order.
func (n Name) Index() int {
	index := 0
	for _, letter := range []byte(n) {
		index = index*26 + int(letter-'a') + 1
	}
	return index - 1
}

// An Endpoint is one of a build's ten ports: the build's name and an offset,
// written a, a1 … a9. Offset 0 speaks HTTP, offset 1 the uwsgi protocol.
type Endpoint struct {
	Build  Name
	Offset int
}

// ParseEndpoint reads what [Endpoint.String] writes.
func ParseEndpoint(text string) (Endpoint, error) {
	name, offset := text, 0
	if last := len(text) - 1; last > 0 && text[last] >= '1' && text[last] <= '9' {
		name, offset = text[:last], int(text[last]-'0')
	}
	build, err := ParseName(name)
	if err != nil {
		return Endpoint{}, &NameError{text}
	}
	return Endpoint{build, offset}, nil
}

func (e Endpoint) String() string {
	if e.Offset == 0 {
		return string(e.Build)
	}
	return string(e.Build) + strconv.Itoa(e.Offset)
}

// Port is base + 10 × index + offset, where base is the first port of build a
// (usually [DefaultPort]). It is an error when there is no such port.
func (e Endpoint) Port(base int) (int, error) {
	port := base + PortsPerBuild*e.Build.Index() + e.Offset
	if base < 1 || port > maxPort {
		return 0, fmt.Errorf("port of %s: %d is not between 1 and %d: set a lower first port than %d", e, port, maxPort, base)
	}
	return port, nil
}

// EndpointAt is the inverse of [Endpoint.Port].
func EndpointAt(port, base int) (Endpoint, error) {
	index := (port - base) / PortsPerBuild
	if port < base || port > maxPort || index > maxIndex {
		return Endpoint{}, fmt.Errorf("port %d belongs to no build: they begin at %d", port, base)
	}
	return Endpoint{NameAt(index), (port - base) % PortsPerBuild}, nil
}
