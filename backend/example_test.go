package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/backend"
)

// A backend in a process of your own. Run lets deadlines pass meanwhile.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "backend")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	b, err := backend.Open(ctx, backend.Config{DataDir: dir}, zap.NewNop())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()

	answer := httptest.NewRecorder()
	b.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Print(answer.Body)
	stop()
	fmt.Println(<-done)
	// Output:
	// {"status":"ok"}
	// <nil>
}
