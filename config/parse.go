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
	r.forgetDemo(&c)
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

// forgetDemo takes away the defaults that another project than the demo has no use for.
func (r *report) forgetDemo(c *Config) {
	if c.WSGI != "" && !r.has("settings") {
		c.Settings = ""
	}
	if c.Settings == Default().Settings {
		return
	}
	var build, database []Command
	if c.Settings != "" {
		build = []Command{{"manage.py", "collectstatic", "--noinput"}}
		database = []Command{{"manage.py", "migrate", "--noinput"}}
		otherwise(r, "tests.runner", &c.Tests.Runner, RunnerDjango)
	}
	otherwise(r, "build", &c.Build, build)
	otherwise(r, "database", &c.Database, database)
	otherwise(r, "populate", &c.Populate, nil)
}

// otherwise sets what the file does not.
func otherwise[T any](r *report, key string, dst *T, value T) {
	if !r.has(key) {
		*dst = value
	}
}

// has tells whether the file holds key.
func (r *report) has(key string) bool {
	_, found := r.at[key]
	return found
}
