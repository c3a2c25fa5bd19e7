package config_test

import (
	"fmt"

	"github.com/hadjango/hadjango/config"
)

func ExampleParse() {
	c, err := config.Parse("hadjango.yml", []byte(`
project: shop
settings: shop.settings
live: [www.example.org]
stage: [stage.example.org]
timeouts: {drain: 3m}
`))
	fmt.Println(c.Project, c.Live, c.Timeouts.Drain, c.Port, err)
	// Output: shop [www.example.org] 3m0s 2000 <nil>
}

func ExampleParse_problems() {
	_, err := config.Parse("hadjango.yml", []byte(`
port: 99999
run: ../run
overlai: src
`))
	fmt.Println(err)
	// Output:
	// hadjango.yml:2:7: port: 99999 is out of range: expected a number from 1024 to 55000
	// hadjango.yml:3:6: run: "../run" leads out of its directory: expected a path of letters, digits and . _ / + @ -, relative to the site or absolute
	// hadjango.yml:4:1: unknown key "overlai": did you mean "overlay"? known keys: project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python
}
