package inject

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

var errTrailing = errors.New("bytes after the member")

func TestPrefixLevels(t *testing.T) {
	t.Parallel()
	page := []byte("<!DOCTYPE html>\n<html lang=\"en\"><head data-x='>'><title>t</title>" + strings.Repeat("<p>Some <b>text</b> "+strconv.Itoa(7)+"</p>\n", 3000))
	want := `<!DOCTYPE html><html lang="en"><head data-x='>'>` + testTag + string(page)
	for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
		for _, size := range []int{0, 1, 7, 100, 4096} {
			t.Run(fmt.Sprint(level, "/", size), func(t *testing.T) {
				t.Parallel()
				body := gzipped(t, level, page)
				a := answer{header: htmlHeader("Content-Encoding", "gzip", "Content-Length", strconv.Itoa(len(body))), body: body}
				if size > 0 {
					a.piece = func() int { return size }
				}
				rec, outcome, err := pass(t, New(testConfig()), navigate(), a)
				if err != nil || outcome.Mode != ModePrefix {
					t.Fatalf("outcome %v, error %v", outcome, err)
				}
				got, err := gunzipped(rec.Body.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, []byte(want)) {
					t.Errorf("got %.200q, want %.200q", got, want)
				}
				if cl := rec.Header().Get("Content-Length"); cl != strconv.Itoa(rec.Body.Len()) {
					t.Errorf("Content-Length %s, body %d", cl, rec.Body.Len())
				}
			})
		}
	}
}
