package clickhouse

import (
	"os"
	"strings"
	"testing"

	"mcloud/collector/embedded/embeddedtest"
)

// The example for administrators is understood by the engine.
func TestServerSetup(t *testing.T) {
	text, err := os.ReadFile("../../deploy/clickhouse/setup.sql")
	if err != nil {
		t.Fatal(err)
	}
	url, _ := embeddedtest.Database(t)
	for statement := range strings.SplitSeq(string(text), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := embeddedtest.Query(url, "EXPLAIN AST "+strings.TrimSpace(statement)); err != nil {
			t.Errorf("%s\n%v", statement, err)
		}
	}
}
