package dashboard

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var files embed.FS

// Page serves the page under "/".
func Page() http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // it is not in the binary
	}
	return http.FileServerFS(page)
}
