package site

import "io/fs"

// Location is a row of the table of locations.
type Location struct {
	Path, Owner, Why string
	Roots, Users     fs.FileMode
}

// Locations is that table.
func Locations() []Location {
	var all []Location
	for _, l := range locations {
		all = append(all, Location{l.path, l.owner, l.why, l.roots, l.users})
	}
	return all
}
