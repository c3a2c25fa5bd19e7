package tasks

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hadjango/hadjango/internal/golden"
	"github.com/hadjango/hadjango/site"
)

func TestWriteDiagnosis_IsAPageForAPerson(t *testing.T) {
	var ill, well strings.Builder
	diagnosis := site.Diagnosis{
		Checks: 20, Task: "createBuild c",
		Findings: []site.Finding{
			{Severity: site.Problem, What: "vassal of b is throttled by its emperor (3 tries, next in 2 s)", Why: "it ends as soon as it starts: bind(): Address already in use", Mend: "mage activate b"},
			{Severity: site.Warning, What: "build d is not complete", Why: "its making was interrupted; it takes room and cannot be started", Mend: "mage rm d"},
		},
	}

	require.NoError(t, writeDiagnosis(&ill, diagnosis))
	require.NoError(t, writeDiagnosis(&well, site.Diagnosis{Checks: 20}))

	golden.Require(t, "doctor.txt", ill.String())
	require.Equal(t, "1 problem, 1 warning", diagnosis.String())
	require.Equal(t, "✓ all is well (20 checks)\n", well.String())
}
