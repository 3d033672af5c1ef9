package inject

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// corpus is the html5lib tree construction suite, which golang.org/x/net/html
// carries: documents written to be parsed wrongly.
func corpus(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/net/html").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "html5lib-tests", "tree-construction", "*.dat"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", dir, err)
	}
	var docs []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, test := range strings.Split("\n"+string(b), "\n#data\n")[1:] {
			doc, expected, ok := strings.Cut(test, "\n#errors")
			if ok && !strings.Contains(expected, "\n#document-fragment") {
				docs = append(docs, doc)
			}
		}
	}
	return docs
}

func TestDOMEqualityOverCorpus(t *testing.T) {
	t.Parallel()
	docs := corpus(t)
	if len(docs) < 1000 {
		t.Fatalf("only %d documents", len(docs))
	}
	for _, way := range []struct {
		name   string
		packed bool
		differ map[string]bool // documents whose tree is known to change
	}{
		{"exact", false, exactDiffers},
		{"prefix", true, nil}, // compared without what a prefix is known to move
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			i := New(testConfig())
			injected, differing := 0, 0
			for _, doc := range docs {
				a := answer{header: htmlHeader(), body: []byte(doc)}
				if way.packed {
					a.header["Content-Encoding"] = "gzip"
					a.body = gzipped(t, 6, a.body)
				}
				rec, outcome, err := pass(t, i, navigate(), a)
				if err != nil {
					t.Fatal(err)
				}
				if !outcome.Injected() {
					continue
				}
				injected++
				body := rec.Body.Bytes()
				if way.packed {
					if body, err = gunzipped(body); err != nil {
						t.Fatal(err)
					}
				}
				got, tags := tree(t, body, way.packed)
				want, _ := tree(t, []byte(doc), way.packed)
				if tags != 1 {
					t.Errorf("%d tags in %q", tags, doc)
				}
				if differs := got != want; differs != way.differ[doc] {
					t.Errorf("differs: %v, document %q\n got %q\nwant %q", differs, doc, got, want)
				}
				if got != want {
					differing++
				}
			}
			t.Logf("%d documents, %d injected, %d differ", len(docs), injected, differing)
		})
	}
}

// A stray </p> between <html> and a comment is skipped by parsers; we stop
// there, and so the comment, which stood before the head, ends up in it.
var exactDiffers = map[string]bool{"<!doctype html><html></p><!--foo-->": true}
