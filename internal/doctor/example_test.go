package doctor_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/sessiongate/sessiongate/internal/doctor"
)

// untouched is an edge that injects nothing.
type untouched struct{}

func (untouched) Predict(*doctor.Page) (string, bool)              { return "content_type", false }
func (untouched) Blocks(*doctor.Page, string, string) (bool, bool) { return false, false }

// A server that is no edge.
func ExampleRun() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Hello, everybody")
	}))
	defer server.Close()
	target, err := url.Parse(server.URL + "/")
	if err != nil {
		panic(err)
	}
	report := doctor.Run(context.Background(), doctor.Config{URL: target, Rules: untouched{}})
	for _, check := range report.Checks {
		fmt.Println(check.Name, check.Grade)
	}
	// Output:
	// dns not_checked
	// tls not_checked
	// gate failed
	// time not_checked
	// refusal failed
	// websocket not_checked
	// injection not_checked
	// origin_lock not_checked
}
