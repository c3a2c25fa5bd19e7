package site

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What compileall and Django print, with what the one writes into the other's.
const printed = `*** Error compiling './shop/lazy.py'...
  File "./shop/lazy.py", line 2
    return return
           ^^^^^^
SystemCheckError: System check identified some issues:
SyntaxError: invalid syntax

ERRORS:
?: (shop.E001) no account
shop.Order: (fields.E300) Field defines a relation with model 'X'.

WARNINGS:
?: (security.W004) no SECURE_HSTS_SECONDS
?: (security.W009) SECRET_KEY
  File "/srv/shop/deploy/builds/c/shop/urls.py", line 3
SyntaxError: one of a traceback
*** Error compiling './x.py'...
  File "./x.py", line 1
TabError: inconsistent use of tabs
`

func TestPrinted_IsToldApart(t *testing.T) {
	out := strings.Split(printed, "\n")

	require.Equal(t, []string{
		"shop/lazy.py line 2 does not compile: SyntaxError: invalid syntax",
		"x.py line 1 does not compile: TabError: inconsistent use of tabs",
	}, uncompiled(out))
	require.Equal(t, "?: (shop.E001) no account\nshop.Order: (fields.E300) Field defines a relation with model 'X'.", djangoErrors(out))
	require.Equal(t, []string{"security.W004", "security.W009"}, djangoWarnings(out))
}
