package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const knownKeys = "known keys: project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, " +
	"health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python"

// badFiles are files that are refused, with every line of the error; each begins with "hadjango.yml:" besides.
var badFiles = []struct {
	name, file string
	want       []string
}{
	{"unknown key", "port: 3000\nhttps: true\nprot: 1\n", []string{
		`3:1: unknown key "prot": did you mean "port"? ` + knownKeys,
	}},
	{"unknown key, no guess", "xyzzy: 1\n", []string{
		`1:1: unknown key "xyzzy": ` + knownKeys,
	}},
	{"unknown key in a section", "timeouts:\n  reqest: 5s\n", []string{
		`2:3: timeouts: unknown key "reqest": did you mean "request"? known keys: request, start, drain, switch`,
	}},
	{"key of the wrong case", "Port: 3000\n", []string{
		`1:1: unknown key "Port": did you mean "port"? ` + knownKeys,
	}},
	{"key with control characters", "\"\\e[31m\": 1\n", []string{
		`1:1: unknown key "\x1b[31m": ` + knownKeys,
	}},
	{"number as a key", "80: 1\n", []string{
		`1:1: unknown key "80": ` + knownKeys,
	}},
	{"duplicate key", "port: 3000\nhttps: true\nport: 3001\n", []string{
		`3:1: port: set again after line 1: expected each key once`,
	}},
	{"duplicate key in a flow map", "workers: {min: 1, min: 2}\n", []string{
		`1:19: workers.min: set again after line 1: expected each key once`,
	}},
	{"several at once, in the order of the file", "port: 99999\nprot: 1\nlive: [a_b, ok.example.org, ok.example.org]\ntimeouts:\n  drain: 5\nhttps: yes\n", []string{
		`1:7: port: 99999 is out of range: expected a number from 1024 to 55000`,
		`2:1: unknown key "prot": did you mean "port"? ` + knownKeys,
		`3:8: live[0]: "a_b" is not allowed: expected a host name such as www.example.org`,
		`3:29: live[2]: "ok.example.org" is in live[1] and in live[2]: expected each host name once`,
		`5:10: timeouts.drain: 5 has no unit: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`6:8: https: found the text "yes": expected true or false`,
	}},
	{"not a map", "- project\n", []string{
		`1:1: found a list: expected the keys project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python`,
	}},
	{"only text", "project\n", []string{
		`1:1: found text: expected the keys project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python`,
	}},
	{"null", "~\n", []string{
		`1:1: found nothing: expected the keys project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python`,
	}},
	{"key without a value", "project:\nport:\n", []string{
		`1:1: project: found nothing: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`2:1: port: found nothing: expected a number from 1024 to 55000`,
	}},
	{"no space after the colon", "port:3000\n", []string{
		`1:1: found text: expected the keys project, overlay, settings, wsgi, requirements, build, database, populate, tests, env, live, stage, listen, https, health, max_body, dashboard, user, run, switch, port, workers, backlog, timeouts, watch, warmup, python`,
	}},
	{"text for a number", "port: \"3000\"\n", []string{
		`1:7: port: found the text "3000": expected a number from 1024 to 55000`,
	}},
	{"number for text", "project: 2024\n", []string{
		`1:10: project: found the number 2024: expected a relative path of letters, digits and . _ / + @ -, such as src or . (in quotes it is text)`,
	}},
	{"boolean for text", "overlay: false\n", []string{
		`1:10: overlay: found the boolean false: expected a relative path of letters, digits and . _ / + @ -, such as src or ., or "" for none (in quotes it is text)`,
	}},
	{"list for text", "project: [src]\n", []string{
		`1:10: project: found a list: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
	}},
	{"map for text", "project:\n  path: src\n", []string{
		`2:3: project: found a map: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
	}},
	{"dashboard", "dashboard:\n  queries: 1\n  allow: [192.0.2.7/24, office, 10, \"fe80::1%eth0\", 192.0.2.1, 192.0.2.1, \"::ffff:10.0.0.0/104\", 300.0.0.0/8]\n", []string{
		`2:12: dashboard.queries: found the number 1: expected true or false`,
		`3:11: dashboard.allow[0]: "192.0.2.7/24" is an address in the network 192.0.2.0/24: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
		`3:25: dashboard.allow[1]: "office" is not allowed: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
		`3:33: dashboard.allow[2]: 10 is not allowed: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
		`3:37: dashboard.allow[3]: "fe80::1%eth0" is not allowed: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
		`3:64: dashboard.allow[5]: "192.0.2.1" is in dashboard.allow[4] and in dashboard.allow[5]: expected each network once`,
		`3:75: dashboard.allow[6]: "::ffff:10.0.0.0/104" is not allowed: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
		`3:98: dashboard.allow[7]: "300.0.0.0/8" is not allowed: expected a network such as 192.0.2.0/24 or 2001:db8::/32, or an IP address`,
	}},
	{"text for a boolean", "https: yes\n", []string{
		`1:8: https: found the text "yes": expected true or false`,
	}},
	{"capital boolean", "https: True\n", []string{
		`1:8: https: True is not allowed: expected true or false`,
	}},
	{"text for a list", "live: www.example.org\n", []string{
		`1:7: live: found text: expected a list of host names`,
	}},
	{"number for a section", "workers: 4\n", []string{
		`1:10: workers: found a number: expected the keys min, max, preload`,
	}},
	{"list for a section", "workers: [1, 2]\n", []string{
		`1:10: workers: found a list: expected the keys min, max, preload`,
	}},
	{"fraction", "port: 3000.5\n", []string{
		`1:7: port: 3000.5 is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"hexadecimal", "port: 0x1000\n", []string{
		`1:7: port: 0x1000 is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"underscore", "port: 3_000\n", []string{
		`1:7: port: 3_000 is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"leading zero", "port: 03000\n", []string{
		`1:7: port: 03000 is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"sign", "port: +3000\n", []string{
		`1:7: port: +3000 is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"too small", "port: 1023\nbacklog: 0\n", []string{
		`1:7: port: 1023 is out of range: expected a number from 1024 to 55000`,
		`2:10: backlog: 0 is out of range: expected a number from 1 to 65535`,
	}},
	{"negative", "workers:\n  min: -1\n  max: 513\n", []string{
		`2:8: workers.min: -1 is out of range: expected a number from 0 to 512`,
		`3:8: workers.max: 513 is out of range: expected a number from 0 to 512`,
	}},
	{"beyond 64 bits", "port: 99999999999999999999999\n", []string{
		`1:7: port: 99999999999999999999999 is out of range: expected a number from 1024 to 55000`,
	}},
	{"infinity", "port: .inf\n", []string{
		`1:7: port: .inf is not a plain whole number: expected a number from 1024 to 55000`,
	}},
	{"absolute path", "project: /srv/shop\n", []string{
		`1:10: project: "/srv/shop" is absolute: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
	}},
	{"path out of the site", "project: ../shop\noverlay: a/../../b\nrun: deploy/../../run\n", []string{
		`1:10: project: "../shop" leads out of its directory: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`2:10: overlay: "a/../../b" leads out of its directory: expected a relative path of letters, digits and . _ / + @ -, such as src or ., or "" for none`,
		`3:6: run: "deploy/../../run" leads out of its directory: expected a path of letters, digits and . _ / + @ -, relative to the site or absolute`,
	}},
	{"path like an option", "project: -rf\noverlay: src/-x\nrequirements: --index-url\n", []string{
		`1:10: project: "-rf" has a part that begins with "-": expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`2:10: overlay: "src/-x" has a part that begins with "-": expected a relative path of letters, digits and . _ / + @ -, such as src or ., or "" for none`,
		`3:15: requirements: "--index-url" has a part that begins with "-": expected a relative path of letters, digits and . _ / + @ -, such as requirements/live.txt, or "" for none`,
	}},
	{"path with strange characters", "project: shop;\noverlay: a b\nrequirements: \"a\\nb\"\nrun: \"run\\0\"\n", []string{
		`1:10: project: "shop;" is not allowed: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`2:10: overlay: "a b" is not allowed: expected a relative path of letters, digits and . _ / + @ -, such as src or ., or "" for none`,
		`3:15: requirements: "a\nb" is not allowed: expected a relative path of letters, digits and . _ / + @ -, such as requirements/live.txt, or "" for none`,
		`4:6: run: "run\x00" is not allowed: expected a path of letters, digits and . _ / + @ -, relative to the site or absolute`,
	}},
	{"project may not be empty", "project: \"\"\nrun: \"\"\n", []string{
		`1:10: project: "" is not allowed: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
		`2:6: run: "" is not allowed: expected a path of letters, digits and . _ / + @ -, relative to the site or absolute`,
	}},
	{"run is the root", "run: //\n", []string{
		`1:6: run: "//" is the machine's root: expected a path of letters, digits and . _ / + @ -, relative to the site or absolute`,
	}},
	{"python is relative", "python: bin/python\n", []string{
		`1:9: python: "bin/python" is not absolute: expected an absolute path such as /usr/bin/python3.12, or "" for none`,
	}},
	{"module", "settings: shop-settings\n", []string{
		`1:11: settings: "shop-settings" is not allowed: expected a Python module such as shop.settings, or "" for none`,
	}},
	{"module with a directive", "settings: \"a\\nexec = x\"\n", []string{
		`1:11: settings: "a\nexec = x" is not allowed: expected a Python module such as shop.settings, or "" for none`,
	}},
	{"wsgi", "wsgi: shop.app\n", []string{
		`1:7: wsgi: "shop.app" is not allowed: expected module:callable such as shop.wsgi:application, or "" for none`,
	}},
	{"neither", "settings: \"\"\n", []string{
		`1:11: settings: neither settings nor wsgi is set: expected exactly one of them (default: wsgi)`,
	}},
	{"both", "wsgi: a:b\nsettings: a.b\n", []string{
		`1:7: wsgi: both settings and wsgi are set: expected exactly one of them`,
	}},
	{"no echo of a broken setting", "wsgi: a:b\nsettings: a-b\n", []string{
		`2:11: settings: "a-b" is not allowed: expected a Python module such as shop.settings, or "" for none`,
	}},
	{"command is not a list", "build: [manage.py, migrate]\n", []string{
		`1:9: build[0]: found text: expected a list of a program and its arguments`,
		`1:20: build[1]: found text: expected a list of a program and its arguments`,
	}},
	{"command is empty", "build:\n  - []\n", []string{
		`2:5: build[0]: found an empty list: expected a list of a program and its arguments`,
	}},
	{"command without value", "build:\n  - [npm, ~]\n  -\n", []string{
		`2:11: build[0][1]: found nothing: expected text`,
		`3:5: build[1]: found nothing: expected a list of a program and its arguments`,
	}},
	{"command's program", "build: [[\"\", x], [-x], [../x.py], [/x.py], [bin/run.sh], [\"a b\"], [\"sh\\n\"], [..], [-m.py]]\n", []string{
		`1:10: build[0][0]: "" is empty: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:19: build[1][0]: "-x" begins with "-": expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:25: build[2][0]: "../x.py" leads out of its directory: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:36: build[3][0]: "/x.py" is absolute: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:45: build[4][0]: "bin/run.sh" is a path that does not end in .py: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:59: build[5][0]: "a b" is not allowed: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:68: build[6][0]: "sh\n" is not allowed: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:78: build[7][0]: ".." is not allowed: expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
		`1:84: build[8][0]: "-m.py" has a part that begins with "-": expected a relative path ending in .py such as manage.py, or a program's name such as npm`,
	}},
	{"command's argument", "database: [[ls, \"a\\0b\"]]\n", []string{
		`1:17: database[0][1]: "a\x00b" holds a NUL character: expected text`,
	}},
	{"env is text", "env: A=b\n", []string{
		`1:6: env: found text: expected a map of variables and their values`,
	}},
	{"env's names", "env:\n  1A: x\n  A-B: x\n  PATH: x\n  LD_PRELOAD: x\n  HADJANGO_HOST: x\n  UWSGI_EXEC: x\n", []string{
		`2:3: env: found a name that no variable has: expected letters, digits and _, not beginning with a digit`,
		`3:3: env: found a name that no variable has: expected letters, digits and _, not beginning with a digit`,
		`4:3: env: the variable PATH is reserved: expected one that does not decide which programs and modules are run`,
		`5:3: env: the variable LD_PRELOAD is reserved: expected one that does not decide which programs and modules are run`,
		`6:3: env: the variable HADJANGO_HOST is reserved: expected one that does not decide which programs and modules are run`,
		`7:3: env: the variable UWSGI_EXEC is reserved: expected one that does not decide which programs and modules are run`,
	}},
	{"env's values", "env: {A: ~, B: [x], C: \"\\0\"}\n", []string{
		`1:7: env.A: found nothing: expected text`,
		`1:16: env.B: found a list: expected text`,
		`1:24: env.C: the value holds a NUL character: expected text`,
	}},
	{"env's duplicate", "env: {A: 1, A: 2}\n", []string{
		`1:13: env.A: set again after line 1: expected each key once`,
	}},
	{"settings in env", "env:\n  DJANGO_SETTINGS_MODULE: x\n", []string{
		`2:27: env.DJANGO_SETTINGS_MODULE: settings sets this variable too: expected it in one place only (default: settings)`,
	}},
	{"hosts", "live: [a_b, -a.b, a..b, \"a.b:80\", \"x y\", \"\", \"*\", \"a.*.b\", é.de]\n", []string{
		`1:8: live[0]: "a_b" is not allowed: expected a host name such as www.example.org`,
		`1:13: live[1]: "-a.b" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:19: live[2]: "a..b" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:25: live[3]: "a.b:80" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:35: live[4]: "x y" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:42: live[5]: "" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:46: live[6]: "*" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:51: live[7]: "a.*.b" is not allowed: expected a host name such as www.example.org or *.example.org`,
		`1:60: live[8]: "é.de" is not allowed: expected a host name such as www.example.org or *.example.org`,
	}},
	{"host too long", "live: [1.2.3.4, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.de]\n", []string{
		`1:17: live[1]: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is not allowed: expected a host name such as www.example.org or *.example.org`,
	}},
	{"wildcard first", "live: [\"*.example.org\"]\n", []string{
		`1:8: live[0]: "*.example.org" is a wildcard, and the first name is the one that is asked for: expected a host name such as www.example.org`,
	}},
	{"unquoted wildcard", "live: [a.b, *.example.org]\n", []string{
		`1:13: found an alias, "*": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"no hosts", "live: []\nstage: []\n", []string{
		`1:7: live: found an empty list: expected a list of host names`,
		`2:8: stage: found an empty list: expected a list of host names`,
	}},
	{"the same host", "live: [www.example.org, WWW.example.org]\nstage: [b.example.org, www.example.org]\n", []string{
		`1:25: live[1]: "www.example.org" is in live[0] and in live[1]: expected each host name once`,
		`2:24: stage[1]: "www.example.org" is in live[0] and in stage[1]: expected each host name once`,
	}},
	{"the default's host", "live: [stage.addons]\n", []string{
		`1:8: live[0]: "stage.addons" is in live[0] and in stage[1]: expected each host name once (default: stage[1])`,
	}},
	{"listen", "listen: [8080, \"8081\", localhost:80, \":80\", \"*:0\", \"127.0.0.1:65536\", \"[fe80::1%eth0]:80\", 127.0.0.1, \"*:80;\"]\n", []string{
		`1:10: listen[0]: 8080 is a port without an address: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:16: listen[1]: "8081" is a port without an address: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:24: listen[2]: "localhost:80" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:38: listen[3]: ":80" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:45: listen[4]: "*:0" is out of range: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:52: listen[5]: "127.0.0.1:65536" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:71: listen[6]: "[fe80::1%eth0]:80" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:92: listen[7]: "127.0.0.1" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
		`1:103: listen[8]: "*:80;" is not allowed: expected an IP address and a port such as 127.0.0.1:8080, [::1]:8080 or *:8080`,
	}},
	{"the same address", "listen: [\"*:80\", \"0.0.0.0:080\"]\n", []string{
		`1:18: listen[1]: "*:80" is in listen[0] and in listen[1]: expected each address once`,
	}},
	{"unquoted address", "listen:\n  - [::1]:8080\n", []string{
		`2:10: not YAML: value is not allowed in this context: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"health", "health: healthz\nwarmup:\n  paths: [/a b, \"/a;b\", /%zz, \"/a?b?c\", \"/$host\", //x]\n", []string{
		`1:9: health: "healthz" is not allowed: expected a path such as /healthz or /search?q=x`,
		`3:11: warmup.paths[0]: "/a b" is not allowed: expected a path such as /healthz or /search?q=x`,
		`3:17: warmup.paths[1]: "/a;b" is not allowed: expected a path such as /healthz or /search?q=x`,
		`3:25: warmup.paths[2]: "/%zz" is not allowed: expected a path such as /healthz or /search?q=x`,
		`3:31: warmup.paths[3]: "/a?b?c" is not allowed: expected a path such as /healthz or /search?q=x`,
		`3:41: warmup.paths[4]: "/$host" is not allowed: expected a path such as /healthz or /search?q=x`,
	}},
	{"size", "max_body: 0\n", []string{
		`1:11: max_body: 0 is not allowed: expected a size from 1k to 10g such as 50m`,
	}},
	{"sizes", "max_body: 50mb\n", []string{
		`1:11: max_body: "50mb" is not allowed: expected a size from 1k to 10g such as 50m`,
	}},
	{"size too small", "max_body: 1023\n", []string{
		`1:11: max_body: 1023 is out of range: expected a size from 1k to 10g such as 50m`,
	}},
	{"size too big", "max_body: 11g\n", []string{
		`1:11: max_body: "11g" is out of range: expected a size from 1k to 10g such as 50m`,
	}},
	{"user", "user: root;\n", []string{
		`1:7: user: "root;" is not allowed: expected a user's name: at most 32 lower-case letters, digits, _ and -, beginning with a letter or _, or "" for none`,
	}},
	{"switch", "switch: magic\n", []string{
		`1:9: switch: "magic" is not allowed: expected pointer or reload`,
	}},
	{"durations", "timeouts:\n  request: 90\n  start: 500ms\n  drain: 25h\n  switch: 1.5s\n", []string{
		`2:12: timeouts.request: 90 has no unit: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`3:10: timeouts.start: "500ms" is out of range: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`4:10: timeouts.drain: "25h" is out of range: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
		`5:11: timeouts.switch: "1.5s" is not a whole number of seconds: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
	}},
	{"duration", "timeouts: {start: soon}\n", []string{
		`1:19: timeouts.start: "soon" is not allowed: expected whole seconds from 1s to 24h such as 90s or 1m30s`,
	}},
	{"min over max", "workers: {min: 4, max: 2}\n", []string{
		`1:16: workers.min: min is 4 and max is 2: expected min to be at most max`,
	}},
	{"drain under request", "timeouts: {drain: 30s, request: 60s}\n", []string{
		`1:19: timeouts.drain: drain is 30s and request is 1m0s: expected drain to be at least request`,
	}},
	{"request over the default's drain", "timeouts:\n  request: 200s\n", []string{
		`2:12: timeouts.request: drain is 2m0s and request is 3m20s: expected drain to be at least request (default: timeouts.drain)`,
	}},
	{"warmup", "warmup: {concurrency: 0, requests: 0, paths: []}\n", []string{
		`1:23: warmup.concurrency: 0 is out of range: expected a number from 1 to 512`,
		`1:36: warmup.requests: 0 is out of range: expected a number from 1 to 100000`,
		`1:46: warmup.paths: found an empty list: expected a list of paths`,
	}},
	{"more paths than requests", "warmup: {requests: 1, paths: [/, /a]}\n", []string{
		`1:20: warmup.requests: 1 requests cannot ask for 2 paths: expected at least one request each`,
	}},
	{"tab", "port: 1\nworkers:\n\tmin: 1\n", []string{
		`3:1: found a tab: expected spaces (in a value, "\t" in double quotes)`,
	}},
	{"tab at the end", "port: 3000\t# x\n", []string{
		`1:11: found a tab: expected spaces (in a value, "\t" in double quotes)`,
	}},
	{"control character", "port: 3000 # \x1b\n", []string{
		`1:14: found the control character U+001B: expected text`,
	}},
	{"invalid UTF-8", "# é\nproject: é\xff\n", []string{
		`2:11: found the byte 0xff, which is not UTF-8: expected text in UTF-8`,
	}},
	{"anchor and alias", "live: &hosts [a.b]\nstage: *hosts\n", []string{
		`1:7: found an anchor, "&": expected plain keys and values (a text that begins so needs quotes)`,
		`2:8: found an alias, "*": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"merge key", "workers:\n  <<: {min: 1}\n", []string{
		`2:3: found a merge key, "<<": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"tag", "port: !!int 3000\n", []string{
		`1:7: found a tag, "!": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"complex key", "? port\n: 3000\n", []string{
		`1:1: found a complex key, "?": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"directive", "%YAML 1.2\n---\nport: 3000\n", []string{
		`1:1: found a directive, "%": expected plain keys and values (a text that begins so needs quotes)`,
		`2:1: found a second document, "---": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"two documents", "---\nport: 3000\n---\nport: 3001\n", []string{
		`3:1: found a second document, "---": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"end of document", "port: 3000\n...\n", []string{
		`2:1: found an end of document, "...": expected plain keys and values (a text that begins so needs quotes)`,
	}},
	{"unclosed list", "live: [a.b\nstage: [b.c]\n", []string{
		`2:1: not YAML: ',' or ']' must be specified: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"unclosed quote", "project: \"shop\nport: 3000\n", []string{
		`1:10: not YAML: could not find end character of double-quoted text: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"indentation", "workers:\n  min: 1\n max: 2\n", []string{
		`3:2: not YAML: value is not allowed in this context: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"map in a line", "project: a: b\n", []string{
		`1:10: not YAML: mapping value is not allowed in this context: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"unopened bracket", "port:\n}\n", []string{
		`2:1: port: found the text "}": expected a number from 1024 to 55000`,
	}},
	{"reserved character", "user: @x\n", []string{
		`1:7: not YAML: '@' is a reserved character: expected keys and values (a value with any of : # [ ] { } , needs quotes)`,
	}},
	{"too deep", "live: [[[[[[[[[[[[\n", []string{
		`1:17: found more than 10 brackets inside one another: expected at most 3`,
	}},
	{"place after quotes and escapes", "database: [[\"l\\u0073\", 'it''s', \"\\x41\\0\", \"a\\0\"]]\n", []string{
		`1:33: database[0][2]: "A\x00" holds a NUL character: expected text`,
		`1:43: database[0][3]: "a\x00" holds a NUL character: expected text`,
	}},
	{"place after a block", "env:\n  A: |\n    one\n    two\n  B: >-\n    three\n\n  C: ~\nport: 1\n", []string{
		`8:3: env.C: found nothing: expected text`,
		`9:7: port: 1 is out of range: expected a number from 1024 to 55000`,
	}},
	{"place after lines in quotes", "env: {A: \"one\n  two\", B: 'x\n\n  y', C: ~}\nport: 1\n", []string{
		`4:7: env.C: found nothing: expected text`,
		`5:7: port: 1 is out of range: expected a number from 1024 to 55000`,
	}},
	{"place in a block text", "project: |\n  src\n", []string{
		`1:10: project: "src\n" is not allowed: expected a relative path of letters, digits and . _ / + @ -, such as src or .`,
	}},
}

func TestParse_Errors(t *testing.T) {
	for _, test := range badFiles {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("hadjango.yml", []byte(test.file))
			require.Error(t, err)
			require.Equal(t, Config{}, c)
			require.Equal(t, "hadjango.yml:"+strings.Join(test.want, "\nhadjango.yml:"), err.Error())
		})
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"project", "port", "max_body", "env", "live", "stage"}
	for word, want := range map[string]string{
		"prot": "port", "Port": "port", "ports": "port", "maxbody": "max_body", "max-body": "max_body", "nev": "env", "proyect": "project",
		"": "", "xyzzy": "", "e": "", "a_word_that_is_longer_than_any_key_could_be": "", "é": "",
	} {
		require.Equal(t, want, nearest(word, keys), word)
	}
}
