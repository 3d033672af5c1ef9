package inject_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
)

func Example() {
	injector := inject.New(inject.Config{Src: "/.session-gate/boot.js", ETagSuffix: "-sg1"})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := injector.Wrap(w, r, "app.example")
		page.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(page, "<!doctype html><head><title>Hi</title>")
		if err := page.Close(); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	defer site.Close()

	r, _ := http.NewRequest("GET", site.URL, nil)
	r.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	fmt.Println(resp.Header.Get("Link"))
	// Output:
	// <!doctype html><head><script src="/.session-gate/boot.js"></script><title>Hi</title>
	// </.session-gate/boot.js>; rel=preload; as=script
}
