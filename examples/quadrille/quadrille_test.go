package quadrille_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/examples/quadrille"
)

func ask(t *testing.T, method, link, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// TestPagesShowNoSolution looks for titles and pictures of unsolved puzzles.
func TestPagesShowNoSolution(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(quadrille.New())
	t.Cleanup(server.Close)
	for _, p := range quadrille.Puzzles {
		for _, path := range []string{"/", "/puzzles/" + p.ID} {
			status, body := ask(t, "GET", server.URL+path, "")
			if status != http.StatusOK || strings.Contains(body, p.Title) {
				t.Errorf("%s: got %d, or it names %q", path, status, p.Title)
			}
		}
		_, body := ask(t, "GET", server.URL+"/puzzles/"+p.ID, "")
		if got, want := strings.Count(body, "<td"), p.Size()*p.Size()+1; got != want {
			t.Errorf("puzzle %s: %d cells, want %d", p.ID, got, want)
		}
	}
	for _, path := range []string{"/puzzles/99", "/static/none.css", "/other"} {
		if status, _ := ask(t, "GET", server.URL+path, ""); status != http.StatusNotFound {
			t.Errorf("%s: got %d", path, status)
		}
	}
}

// TestHintsSolveAPuzzle follows hints from an empty sheet to the picture.
func TestHintsSolveAPuzzle(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(quadrille.New())
	t.Cleanup(server.Close)
	p := quadrille.Puzzles[0]
	cells := []byte(strings.Repeat("0", p.Size()*p.Size()))
	type answer struct {
		Wrong int                `json:"wrong"`
		Title string             `json:"title"`
		Hint  *quadrille.Mistake `json:"hint"`
	}
	send := func(what string) (a answer) {
		t.Helper()
		status, body := ask(t, "POST", server.URL+"/puzzles/"+p.ID+"/"+what, `{"cells":"`+string(cells)+`"}`)
		if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK {
			t.Fatalf("%s: got %d %s", what, status, body)
		}
		return a
	}
	if a := send("check"); a.Wrong == 0 || a.Hint != nil || a.Title != "" {
		t.Errorf("checking an empty sheet: %+v", a)
	}
	for range len(cells) {
		a := send("hint")
		if a.Hint == nil {
			break
		}
		cells[a.Hint.Row*p.Size()+a.Hint.Column] = map[bool]byte{true: '1', false: '0'}[a.Hint.Filled]
	}
	if a := send("check"); a.Wrong != 0 || a.Title != p.Title {
		t.Errorf("in the end: %+v", a)
	}
}

func TestAnswersToNonsense(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(quadrille.New())
	t.Cleanup(server.Close)
	for body, want := range map[string]int{
		"": 400, "{": 400, `{"cells":"01"}`: 400, `{"cells":7}`: 400, `{"cells":"` + strings.Repeat("0", 5000) + `"}`: 400,
		`{"cells":"` + strings.Repeat("0", 100) + `","from":-7}`:                  200,
		`{"cells":"` + strings.Repeat("0", 100) + `","from":9223372036854775807}`: 200,
	} {
		if status, answer := ask(t, "POST", server.URL+"/puzzles/1/hint", body); status != want {
			t.Errorf("%.40s: got %d %s, want %d", body, status, answer, want)
		}
	}
	if status, _ := ask(t, "POST", server.URL+"/puzzles/99/check", "{}"); status != 404 {
		t.Errorf("a puzzle that is none: got %d", status)
	}
}
