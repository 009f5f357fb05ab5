package graph_test

import (
	"slices"
	"strings"
	"testing"

	"latchkey/auth"
	"latchkey/graph/model"
)

// The enum of the schema has each event, in the order of the one list of them.
func TestTheSchemaHasEachTypeOfEvent(t *testing.T) {
	var want []model.AuditEventType
	for _, name := range auth.EventTypes() {
		want = append(want, model.AuditEventType(strings.ToUpper(string(name))))
	}
	if !slices.Equal(model.AllAuditEventType, want) {
		t.Errorf("the schema has %v,\nthe list %v", model.AllAuditEventType, want)
	}
}
