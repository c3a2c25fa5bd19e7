package builds_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hadjango/hadjango/builds"
)

// Two builds change places: whoever opens a path through a pointer gets one of
// them whole.
func ExampleStore_Exchange() {
	dir, err := os.MkdirTemp("", "builds")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store := builds.OpenStore(filepath.Join(dir, "builds"))
	for _, pointer := range []builds.Pointer{builds.Live, builds.Stage} {
		name, err := store.Free()
		if err != nil {
			panic(err)
		}
		build, err := store.Create(name)
		if err != nil {
			panic(err)
		}
		// … make it, and when it is whole say so
		if err := (builds.Manifest{Name: name, Complete: true}).Write(build); err != nil {
			panic(err)
		}
		if err := store.Point(pointer, name); err != nil {
			panic(err)
		}
	}

	if _, err := store.Exchange(); err != nil {
		panic(err)
	}

	live, _ := store.Pointed(builds.Live)
	stage, _ := store.Pointed(builds.Stage)
	fmt.Println("live is", live, "stage is", stage)
	// Output: live is b stage is a
}
