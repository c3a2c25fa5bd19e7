package config

import (
	"fmt"
	"io"
	"os"
)

// Load reads the file at path, as [Parse] does. That there is no such file is an error that wraps [fs.ErrNotExist].
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	// One byte above the limit is enough for Parse to see that the file is too long.
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a configuration; name is the file's, for the errors. What data does not name keeps its default. Paths,
// host names, addresses and sizes come out in one plain form: "src/" as "src", "WWW.Example.org" as "www.example.org",
// "0.0.0.0:80" as "*:80", "50M" as "50m".
func Parse(name string, data []byte) (Config, error) {
	r := &report{file: name, at: map[string]place{}}
	c := Default()
	if root := r.document(data); root != nil {
		r.at[""] = start(root)
		schema(&c).read(r, "", root)
	}
	r.forgetDjango(&c)
	r.conflicts(&c)
	if err := r.err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate holds a Config made by a program to the rules that Parse holds a file to. What Parse has returned is valid.
func (c Config) Validate() error {
	r := &report{}
	schema(&c).check(r, "")
	r.conflicts(&c)
	return r.err()
}

// forgetDjango takes away the defaults that a WSGI application which is not Django has no use for.
func (r *report) forgetDjango(c *Config) {
	if c.WSGI == "" {
		return
	}
	if !r.has("settings") {
		c.Settings = ""
	}
	if !r.has("build") {
		c.Build = nil
	}
	if !r.has("database") {
		c.Database = nil
	}
}

// has tells whether the file holds key.
func (r *report) has(key string) bool {
	_, found := r.at[key]
	return found
}
