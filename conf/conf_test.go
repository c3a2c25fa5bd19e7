package conf_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/conf"
)

func TestFiles_AreAllThereAreToReplace(t *testing.T) {
	names, err := fs.Glob(conf.Files, "*")

	require.NoError(t, err)
	require.Equal(t, []string{
		"emperor.ini.tmpl", "empty.html", "forbidden.html", "nginx.conf.tmpl", "systemd.service.tmpl", "unavailable.html", "upstream.conf.tmpl", "vassal.ini.tmpl", "zerg.ini.tmpl",
	}, names)
}

type upstream struct{ Pointer, Server string }

func execute(own fs.FS) (string, error) {
	var text bytes.Buffer
	err := conf.Execute(&text, own, "upstream.conf.tmpl", upstream{"live", "127.0.0.1:2001"})
	return text.String(), err
}

func TestExecute_TakesTheProjectsTemplate(t *testing.T) {
	own := fstest.MapFS{"upstream.conf.tmpl": {Data: []byte("{{.Pointer}} is {{.Server}}")}}

	text, err := execute(own)

	require.NoError(t, err)
	require.Equal(t, "live is 127.0.0.1:2001", text)
}

func TestExecute_FallsBackToTheEmbeddedTemplate(t *testing.T) {
	for name, own := range map[string]fs.FS{
		"no templates":       nil,
		"no directory":       os.DirFS(filepath.Join(t.TempDir(), "conf")),
		"other templates":    fstest.MapFS{"zerg.ini.tmpl": {}},
		"an empty directory": os.DirFS(t.TempDir()),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := execute(own)

			require.NoError(t, err)
			require.Contains(t, text, "upstream live {\n    server 127.0.0.1:2001 max_fails=0;")
		})
	}
}

func TestExecute_TakesAnEmptyTemplateForOne(t *testing.T) {
	text, err := execute(fstest.MapFS{"upstream.conf.tmpl": {}})

	require.NoError(t, err)
	require.Empty(t, text)
}

func TestExecute_NamesATemplateThatIsBroken(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"syntax":        {"\n{{if}}", "parse template: template: upstream.conf.tmpl:2: missing value for if"},
		"unknown field": {"{{.Pionter}}", "render template: template: upstream.conf.tmpl:1:2: executing"},
		"function":      {"{{shell .Server}}", `upstream.conf.tmpl:1: function "shell" not defined`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := execute(fstest.MapFS{"upstream.conf.tmpl": {Data: []byte(tt.text)}})

			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A project's template that cannot be read must not be replaced in silence.
func TestExecute_DoesNotFallBackFromATemplateItCannotRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "upstream.conf.tmpl"), 0o755))

	_, err := execute(os.DirFS(dir))

	require.ErrorContains(t, err, "upstream.conf.tmpl")
}

func TestExecute_OfNoTemplateIsAnError(t *testing.T) {
	err := conf.Execute(&bytes.Buffer{}, nil, "missing.tmpl", nil)

	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "missing.tmpl")
}

func TestRead_TakesTheProjectsPage(t *testing.T) {
	own := fstest.MapFS{"empty.html": {Data: []byte("soon")}}

	page, err := conf.Read(own, "empty.html")

	require.NoError(t, err)
	require.Equal(t, "soon", string(page))
	page, err = conf.Read(own, "unavailable.html")
	require.NoError(t, err)
	require.Contains(t, string(page), "<html")
}
