package command

import (
	"os"
	"os/exec"
	"syscall"
)

// Server is a program that goes on when who has started it ends.
type Server struct {
	Args, Env []string
	Dir       string
	// Log is where all that it prints is appended to.
	Log string
	// Credential is whom it runs as; who starts it when it is nil.
	Credential *syscall.Credential
}

// Start starts it in a session of its own, so that no terminal's end and no Ctrl-C
// reaches it. Who still runs when it ends is told by ended.
func (s Server) Start() (ended <-chan error, err error) {
	log, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, s.Env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: s.Credential}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	return end, nil
}
