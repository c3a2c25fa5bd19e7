// Package uwsgi talks to running uWSGI servers in emperor and zerg mode: it
// reads their stats, starts and ends the instances an emperor runs, waits for
// workers to be ready, and lets them finish what they do.
//
//	vassals := uwsgi.Emperor{Stats: "/run/shop/vassals.stats"}
//	err := vassals.StartVassal(ctx, uwsgi.Unit{…})
//	zergs := uwsgi.Emperor{Stats: "/run/shop/zergs.stats"}
//	err = zergs.StartZerg(ctx, unit)     // the workers accept requests, or err says why not
//	resume, err := uwsgi.Pause(ctx, unit) // nothing in flight any more
//	err = zergs.Stop(ctx, unit)          // its processes are gone
//
// Nothing here sleeps for a fixed time: the emperor is woken by a signal, and
// then the state that is waited for is watched until ctx ends.
//
// What uWSGI does was found out by experiment on version 2.0.21. Three things
// shape this package. The emperor ends an instance without losing a request
// only when the instance's link is removed and the emperor runs with
// emperor-graceful-shutdown. A worker that has accepted a connection and not
// yet begun the request loses it when told to end, so workers are paused
// first. An application that fails to import makes its instance die and be
// started again for ever, so its link is withdrawn at the first death.
package uwsgi
