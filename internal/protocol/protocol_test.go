package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

func TestEveryStatusHasItsRefusal(t *testing.T) {
	t.Parallel()
	for status, want := range map[protocol.Status]struct {
		code     protocol.Code
		terminal bool
	}{
		protocol.Pending:   {protocol.SessionPending, false},
		protocol.Active:    {"", false},
		protocol.Paused:    {protocol.SessionPaused, false},
		protocol.Completed: {protocol.SessionCompleted, true},
		protocol.Expired:   {protocol.SessionExpired, true},
		protocol.Revoked:   {protocol.SessionRevoked, true},
		protocol.Canceled:  {protocol.SessionCanceled, true},
		"unheard-of":       {protocol.SessionExpired, false},
	} {
		if got := protocol.CodeOf(status); got != want.code {
			t.Errorf("%s is refused as %q, want %q", status, got, want.code)
		}
		if got := status.Terminal(); got != want.terminal {
			t.Errorf("%s is terminal: %v", status, got)
		}
	}
}

func TestViewNamesNoUser(t *testing.T) {
	t.Parallel()
	l := protocol.LiveState{
		ID: "s1", UserID: "user_7", ProviderID: "p", Mode: protocol.TestMode, Standstill: "maintenance", Status: protocol.Active, Version: 3, ExpiresAt: 9, StartedAt: 1,
		PausedAt: 4, DurationLimitSeconds: 8, TokensAllocated: 5, ReturnURL: "https://m.example/", SettlementPolicy: protocol.SettlementFull, WarningSeconds: []int64{60},
		Extension: &protocol.Extension{AdditionalSeconds: 1}, Pause: &protocol.PauseRight{MaxCount: 1},
	}
	view := l.View()
	body, err := json.Marshal(view)
	if err != nil || strings.Contains(string(body), "user") {
		t.Errorf("the page is told %s, %v", body, err)
	}
	for i := range reflect.ValueOf(view).NumField() { // a field added later must be copied too
		if reflect.ValueOf(view).Field(i).IsZero() {
			t.Errorf("%s was not copied", reflect.TypeOf(view).Field(i).Name)
		}
	}
}

// TestEveryCodeHasItsStatus reads the constants from the source, so that a code
// added later is not forgotten, and compares each with the status in its comment.
func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Code = "([a-z_]+)" +// ([0-9]{3}(?:, [0-9]{3})*)`).FindAllStringSubmatch(string(source), -1)
	if len(found) != strings.Count(string(source), ` Code = "`) || len(found) < 30 {
		t.Fatalf("%d codes have a status in their comment", len(found))
	}
	for _, code := range found {
		if got := strconv.Itoa(protocol.StatusOf(protocol.Code(code[1]))); !strings.Contains(code[2], got) {
			t.Errorf("%s is %s, and its comment says %s", code[1], got, code[2])
		}
	}
	if got := protocol.StatusOf("unheard-of"); got != 500 {
		t.Errorf("an unknown code is %d", got)
	}
}

func TestWithSessionID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ page, id, want string }{
		{"https://m.example/", "s1", "https://m.example/?session_id=s1"},
		{"https://m.example/done?a=%20b&c#top", "s 1", "https://m.example/done?a=%20b&c&session_id=s+1#top"},
		{"https://m.example/", "", "https://m.example/"},
		{"", "s1", ""},
		{"https://m.example/%zz", "s1", ""},
	} {
		if got := protocol.WithSessionID(c.page, c.id); got != c.want {
			t.Errorf("%q with %q is %q, want %q", c.page, c.id, got, c.want)
		}
	}
}

func TestProblemThereAndBack(t *testing.T) {
	t.Parallel()
	p := &protocol.Problem{Title: "Conflict", Status: 409, Code: protocol.LaunchSpent, Detail: "secret", SessionID: "s1", ReturnURL: "https://m.example/"}
	var back protocol.Problem
	if err := json.Unmarshal(p.JSON(), &back); err != nil || back != *p {
		t.Errorf("got %+v, %v", back, err)
	}
	wrapped := fmt.Errorf("launching: %w", p)
	if got, ok := errors.AsType[*protocol.Problem](wrapped); !ok || got.Code != protocol.LaunchSpent || strings.Contains(wrapped.Error(), "secret") {
		t.Errorf("as an error it is %q", wrapped)
	}
}

func TestUsedIsNotAskedFor(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(protocol.Extension{AdditionalSeconds: 60, Tokens: 5, MaxCount: 1})
	if err != nil || strings.Contains(string(body), "used") {
		t.Errorf("an offer not yet taken is %s, %v", body, err)
	}
}

func ExampleCodeOf() {
	fmt.Println(protocol.CodeOf(protocol.Revoked))
	// Output: session_revoked
}
