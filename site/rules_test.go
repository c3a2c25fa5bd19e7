package site

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/builds"
)

// changingCall finds the task's name where a verb calls changing.
var changingCall = regexp.MustCompile(`\.changing\(ctx, (?:strings\.TrimSpace\()?"(\w+)`)

// A verb that changes something and has no rule would be half done for ever.
func TestRules_KnowEveryTask(t *testing.T) {
	var found []string
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	if len(sources) == 0 {
		t.Skip("the sources are not here")
	}
	calls := 0
	for _, source := range sources {
		data, err := os.ReadFile(source)
		require.NoError(t, err)
		calls += len(regexp.MustCompile(`s\.changing\(`).FindAll(data, -1))
		for _, match := range changingCall.FindAllSubmatch(data, -1) {
			found = append(found, string(match[1]))
		}
	}
	var known []string
	for task := range rules() {
		known = append(known, task)
	}
	require.Len(t, found, calls, "a task's name is written where changing is called")
	slices.Sort(found)
	require.ElementsMatch(t, known, slices.Compact(found))
}

func TestRules_SayWhatToDo(t *testing.T) {
	for task, rule := range rules() {
		require.NotNil(t, rule.again, task)
		require.NotEqual(t, rule.undo == nil, rule.instead == "", "%s has either an undo or a word instead", task)
		require.False(t, rule.next == takeBack && rule.undo == nil, task)
	}
}

// The journal may have been written by a later version, or by nobody.
func TestRuleOf_TakesOnlyWhatATaskCanHaveBeenCalledWith(t *testing.T) {
	for _, c := range []struct {
		task  string
		args  []string
		known bool
	}{
		{"rm", []string{"c"}, true},
		{"swapLive", nil, true},
		{"swapLive", []string{"c"}, true},
		{"rm", nil, false},
		{"rm", []string{"../x"}, false},
		{"rm", []string{"c", "d"}, false},
		{"makeIncrementalBuild", []string{"c", "a"}, true},
		{"makeIncrementalBuild", []string{"c", "a", "b"}, false},
		{"later", []string{"c"}, false},
	} {
		_, _, known := ruleOf(builds.Record{Intent: builds.Intent{Task: c.task, Args: c.args}})
		require.Equal(t, c.known, known, "%s %v", c.task, c.args)
	}
}
