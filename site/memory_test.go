package site_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/proc"
)

// memoryGroup is a control group whose processes may have no more than some
// memory together. Where the kernel gives none, the test is skipped and says why.
type memoryGroup struct{ dir string }

func newMemoryGroup(t *testing.T, limit int64) memoryGroup {
	t.Helper()
	var refused []error
	// the second is where version 1 has its controllers
	for root, file := range map[string]string{"/sys/fs/cgroup": "memory.max", "/sys/fs/cgroup/memory": "memory.limit_in_bytes"} {
		g := memoryGroup{filepath.Join(root, fmt.Sprintf("hadjango-test-%d", os.Getpid()))}
		err := os.Mkdir(g.dir, 0o755)
		if err == nil {
			t.Cleanup(func() {
				require.Eventually(t, func() bool {
					err := os.Remove(g.dir)
					return err == nil || errors.Is(err, os.ErrNotExist)
				}, time.Minute, time.Millisecond)
			})
			// no new file: the kernel's own, or there is no such controller
			err = g.write(file, strconv.FormatInt(limit, 10))
		}
		if err == nil {
			return g
		}
		refused = append(refused, err)
	}
	t.Skipf("no control group for memory: %v", errors.Join(refused...))
	return memoryGroup{}
}

func (g memoryGroup) write(file, text string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// take lets a process, and all that it starts from now on, have no more.
func (g memoryGroup) take(t *testing.T, p proc.Process) {
	t.Helper()
	require.NoError(t, g.write("cgroup.procs", strconv.Itoa(p.PID)))
}

// The kernel itself ends a worker that takes too much: the build never becomes
// stage, the error says for what, and live goes on.
func TestBadBuild_IsEndedByTheKernelForWantOfMemory(t *testing.T) {
	group := newMemoryGroup(t, 300<<20)
	s := newTestSite(t, "")
	require.NoError(t, s.Init(t.Context()))
	// live and stage run already, and are not in it
	group.take(t, s.emperor("zergs")[1])
	bad := badBuild{
		files: map[string]string{"project/app.py": with("    kept.append(b'x' * (400 << 20))\n")},
		said: []string{
			"a worker has died or was killed", "killed by signal 9",
			"the kernel has ended a process for want of memory meanwhile", "c.zerg.log", "mage rm c, mage createBuild c",
		},
	}

	answers := s.requests(visitors, visitEvery, func() { s.try(&bad) })

	requireAllAnswered(t, answers)
	require.Equal(t, "a", answers[len(answers)-1].Build)
}
