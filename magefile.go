//go:build mage

// Tasks that deploy the project in this directory.
package main

import (
	// mage:import
	_ "github.com/hadjango/hadjango/internal/check"
	// mage:import
	_ "github.com/hadjango/hadjango/tasks"
)
