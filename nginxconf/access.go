package nginxconf

import (
	"strconv"
	"strings"
	"time"
)

// Access is one line of the access log that [Render] lets nginx write.
type Access struct {
	// Server is the first of the names of the server that was asked; "_" is
	// neither live nor stage.
	Server string
	// Build is the build that answered; empty when nginx answered by itself.
	Build        string
	Method, Path string
	Status       int
	Began, Ended time.Time
}

const (
	// accessParts is how many parts the quotes of a line make. nginx writes a
	// quote inside a value as \x22.
	accessParts = 7
	// accessTail is how many words follow the last quote.
	accessTail = 4
)

// ParseAccess reads one line of the access log. It is not ok when the line is
// of another format.
func ParseAccess(line string) (access Access, ok bool) {
	parts := strings.Split(line, `"`)
	if len(parts) != accessParts {
		return Access{}, false
	}
	tail := strings.Fields(parts[accessParts-1])
	status, _, _ := strings.Cut(strings.TrimSpace(parts[2]), " ")
	if len(tail) != accessTail {
		return Access{}, false
	}
	code, errStatus := strconv.Atoi(status)
	ended, errEnded := strconv.ParseFloat(tail[2], 64)
	took, errTook := strconv.ParseFloat(tail[3], 64)
	if errStatus != nil || errEnded != nil || errTook != nil {
		return Access{}, false
	}
	method, path := splitRequest(parts[1])
	end := time.UnixMilli(int64(ended*1000 + 0.5))
	return Access{
		Server: tail[0], Build: strings.TrimPrefix(tail[1], "-"), Method: method, Path: path, Status: code,
		Began: end.Add(-time.Duration(took * float64(time.Second))), Ended: end,
	}, true
}

// splitRequest leaves the query away, which may hold what is nobody's to read.
func splitRequest(request string) (method, path string) {
	method, rest, _ := strings.Cut(request, " ")
	path, _, _ = strings.Cut(rest, " ")
	path, _, _ = strings.Cut(path, "?")
	return method, path
}
