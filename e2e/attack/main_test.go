package attack

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// kit is what all tests attack. Its origins start once.
var kit *Kit

func TestMain(m *testing.M) {
	code := 1
	defer func() { os.Exit(code) }()
	program, remove, err := harness.Program()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	kit, err = Start(program)
	defer kit.Stop()
	if err != nil {
		fmt.Println(err)
		return
	}
	code = m.Run()
	if code == 0 {
		code = afterwards()
	}
}

// afterwards looks at what came late, and at what the edge has written.
func afterwards() (code int) {
	wrong, _, err := kit.Check()
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	log := kit.Output("edge")
	for _, secret := range []string{kit.Cookie, launchToken[:60], kit.Keys["edge"]} {
		if i := strings.Index(log, secret); i >= 0 {
			wrong = append(wrong, fmt.Sprintf("the edge's log holds a secret: …%s…", log[max(0, i-300):min(len(log), i+40)]))
		}
	}
	if i := strings.Index(log, "panic"); i >= 0 {
		wrong = append(wrong, "the edge panicked: "+log[i:min(len(log), i+2000)])
	}
	for _, w := range wrong {
		fmt.Println("after the tests:", w)
		code = 1
	}
	return code
}

// check fails the test for each record that must not be, and if nothing was recorded.
func check(t *testing.T) {
	t.Helper()
	wrong, seen, err := kit.Check()
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range wrong {
		if i == 10 {
			t.Errorf("and %d more", len(wrong)-i)
			break
		}
		t.Error(w)
	}
	if seen == 0 {
		t.Error("no origin was asked for anything, so that this test says nothing")
	}
	t.Logf("%d requests reached origins", seen)
}

// atOnce runs cells, some at a time.
func atOnce[T any](cells []T, run func(T)) {
	var all sync.WaitGroup
	room := make(chan struct{}, 48)
	for _, c := range cells {
		room <- struct{}{}
		all.Go(func() { defer func() { <-room }(); run(c) })
	}
	all.Wait()
}

// eachSite calls f for both sites of every origin.
func eachSite(f func(o *Origin, host string)) {
	for _, o := range kit.Origins {
		f(o, o.Whole())
		f(o, o.Part())
	}
}

// cookie is the header of a request with the session, or "".
func cookie(session bool) string {
	if !session {
		return ""
	}
	return "Cookie: theme=dark; session_gate=" + kit.Cookie + "\r\n"
}

// mark names a cell in its path.
func mark(session bool, cell string) string {
	if session {
		return "withsession-" + cell
	}
	return "nosession-" + cell
}

// send is an exchange with the edge that must not fail by itself.
func send(t *testing.T, sent string) string {
	t.Helper()
	answer, err := harness.Exchange(kit.HTTP, sent)
	if err != nil {
		t.Error(err)
	}
	return answer
}

// sendBlind is send where nothing hangs on the answer.
func sendBlind(t *testing.T, sent string) {
	t.Helper()
	if _, err := harness.Blind(kit.HTTP, sent); err != nil {
		t.Error(err)
	}
}

// status is the status of the first answer, or "".
func status(answer string) string {
	_, rest, ok := strings.Cut(answer, " ")
	if !ok || len(rest) < 3 {
		return ""
	}
	return rest[:3]
}
