// Package builds keeps the builds of a project on disk: their names and ports,
// the store they lie in, the copy of the source, the stamp, the manifest, and
// the two pointers that say which build is live and which is stage.
//
//	store := builds.OpenStore("/srv/shop/deploy/builds")
//	name, err := store.Free()                  // "c"
//	dir, err := store.Create(name)             // a place for it, not complete yet
//	_, err = builds.CopySource(ctx, "shop", dir, builds.CopyOptions{})
//	err = builds.Manifest{Name: name, Complete: true}.Write(dir)
//	err = store.Point(builds.Stage, name)      // c is stage now
//	took, err := store.Exchange()              // c is live, what was live is stage
//
// # What is atomic
//
// A pointer is a symbolic link that is replaced by rename; Exchange lets live
// and stage change places in one system call. A reader that opens a path
// through a pointer gets one whole build, before or after, and never finds the
// pointer missing. The manifest is replaced by rename too, and says Complete
// only when the build is: everything that starts builds must look there.
//
// # What a crash leaves behind
//
// A build without Complete in its manifest (remove it and make it again), a
// directory whose name begins with ".trash-" (a removal that was cut short;
// [Store.Sweep] ends it), a temporary file ".….tmp-…" beside the file it was
// to become. None of them has a build's name, so nothing takes them for one.
//
// A sharing that was cut short leaves .hadjango-share.tmp in its build.
//
// Which task it was, and what there was before it, is in the [Journal], if the
// task wrote there what it was about to do:
//
//	unlock, err := builds.Lock(ctx, "deploy/lock", builds.Holder{Task: "stage c"})
//	entry, err := journal.Begin(builds.Intent{Task: "stage", Args: []string{"c"}})
//	err = store.Point(builds.Stage, "c")
//	err = entry.End(builds.Outcome{Result: builds.OK, To: "c"})
//	unlock()
//
// # What builds have in common
//
// [Share] lets equal files of two builds be one on disk, so a build that
// differs little costs little. From then on no file of either may be written
// to: what changes is a new file in the place of the old one.
//
// The package starts no process, prints nothing, and needs Linux for Exchange.
package builds
