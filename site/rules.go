package site

import (
	"context"

	"github.com/hadjango/hadjango/builds"
)

// next is what the next task does with one that was cut short.
type next int

const (
	// ask refuses: a person has to say where to go.
	ask next = iota
	// leave goes on: nothing of it is in anybody's way.
	leave
	// takeBack undoes it first.
	takeBack
	// again runs it to its end first.
	again
)

// rule says what becomes of a task whose process was killed.
type rule struct {
	next next
	// again finishes the task. It is the verb itself: each goes on where it was
	// cut short.
	again func(*Site, context.Context, builds.Name) error
	// undo takes the task back to what there was before; nil where that means nothing.
	undo func(*Site, context.Context, builds.Name, builds.State) error
	// instead says what to do where there is no undo.
	instead string
	// bare may be called without a build, basis with a second one.
	bare, basis bool
	// beside may run while another task is half done, because mending that may
	// need it.
	beside bool
}

// rules has every task that changes something. One that the journal names and
// that is not here, or is not as it can have been called, is a later version's:
// it is named and left.
func rules() map[string]rule {
	return map[string]rule{
		// a site that has no live yet, or a database that was begun, is for nobody to go on with
		"init": {next: ask, bare: true, again: without(initAgain), instead: "it only makes what is missing"},
		// an incomplete build is never started, and making it begins anew in any case
		"createBuild": {next: takeBack, again: (*Site).CreateBuild, undo: (*Site).undoCreate},
		// nothing points to what was started, unless it was there before
		"activate": {next: takeBack, again: (*Site).Activate, undo: (*Site).undoStart},
		// stage may be either build, and a swap would make it live
		"stage": {next: ask, again: (*Site).Stage, undo: (*Site).undoPointers},
		// live may be either build
		"swapLive": {next: ask, bare: true, again: swapAgain, undo: (*Site).undoPointers},
		// the build was to end, is for nobody, and its workers may be resting
		"deactivate": {next: again, again: (*Site).Deactivate, undo: (*Site).undoEnd},
		"stop":       {next: again, again: (*Site).Stop, undo: (*Site).undoEnd},
		// one set of workers is enough; both are the same build's
		"restart": {next: takeBack, again: (*Site).Restart, undo: (*Site).undoRestart},
		// what is deleted is gone: nobody but a person goes on with that
		"rm": {next: ask, again: (*Site).Remove, undo: (*Site).undoRemove},
		// the wheelhouse is changed in one step
		"buildWheels": {next: leave, bare: true, again: without(wheelsAgain), instead: "wheels that are there disturb nobody"},
		// some workers are warm, and more is never assumed
		"warmup": {next: leave, again: warmAgain, instead: "what was asked was asked"},
		// each file is shared in one step
		"makeIncrementalBuild": {next: leave, basis: true, again: shareAgain, instead: "files that are shared hold the same"},
		// a mark in deploy/data says where to go on with a database
		"initializeDB": {next: leave, again: databaseAgain, instead: "what a database has lost does not come back"},
		"populateData": {next: leave, again: (*Site).PopulateData, instead: "what the project has filled in is the project's"},
		// packages appear in one step, and whoever tests next fetches what is missing
		"test": {next: leave, bare: true, again: without(nothing), instead: "packages that are there disturb nobody"},
		// the servers are looked at by whoever needs them
		"up":   {next: leave, bare: true, beside: true, again: without((*Site).Up), instead: "mage down ends the servers"},
		"down": {next: leave, bare: true, beside: true, again: without((*Site).Down), instead: "mage up starts the servers"},
		// what nginx has loaded is known, and compared by whoever needs it
		"nginxReload": {next: leave, bare: true, beside: true, again: without((*Site).NginxReload), instead: "nginx has taken its configuration over or kept the one it had"},
	}
}

// ruleOf is the rule for a task that was cut short, and the build it was about.
func ruleOf(cut builds.Record) (found rule, name builds.Name, known bool) {
	found, known = rules()[cut.Task]
	if len(cut.Args) == 0 {
		return found, "", known && found.bare
	}
	name, err := builds.ParseName(cut.Args[0])
	most := 1
	if found.basis {
		most = 2
	}
	return found, name, known && err == nil && len(cut.Args) <= most
}

func without(verb func(*Site, context.Context) error) func(*Site, context.Context, builds.Name) error {
	return func(s *Site, ctx context.Context, _ builds.Name) error { return verb(s, ctx) }
}

func nothing(*Site, context.Context) error { return nil }

// shareAgain shares with the build that was named, if one was.
func shareAgain(s *Site, ctx context.Context, name builds.Name) (err error) {
	var basis builds.Name
	if args := taskOf(ctx).cut.Args; len(args) > 1 {
		if basis, err = builds.ParseName(args[1]); err != nil {
			return err
		}
	}
	_, err = s.MakeIncrementalBuild(ctx, name, basis)
	return err
}

// initAgain empties nothing by itself.
func initAgain(s *Site, ctx context.Context) error { return s.Init(ctx, DatabaseOptions{}) }

// databaseAgain goes on where the mark says, and empties nothing by itself.
func databaseAgain(s *Site, ctx context.Context, name builds.Name) error {
	return s.InitializeDB(ctx, name, DatabaseOptions{})
}

func swapAgain(s *Site, ctx context.Context, name builds.Name) error {
	_, err := s.SwapLive(ctx, name)
	return err
}

func wheelsAgain(s *Site, ctx context.Context) error {
	_, err := s.BuildWheels(ctx)
	return err
}

func warmAgain(s *Site, ctx context.Context, name builds.Name) error {
	_, err := s.Warmup(ctx, name, WarmupOptions{})
	return err
}
