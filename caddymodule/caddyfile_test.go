package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/sessiongate/sessiongate/edgestorage" // named in the pages' Caddyfiles
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestAdapt turns each testdata/adapt/*.caddyfile into JSON and compares it with
// the file beside it.
func TestAdapt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/adapt/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if formatted := caddyfile.Format(source); !bytes.Equal(formatted, source) {
			t.Errorf("%s is not as caddy fmt has it", file)
		}
		adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(source, map[string]any{"filename": file})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(warnings) > 0 {
			t.Errorf("%s: %v", file, warnings)
		}
		var got bytes.Buffer
		if err := json.Indent(&got, adapted, "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		golden := strings.TrimSuffix(file, ".caddyfile") + ".json"
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s adapts to\n%s\nwant (%v)\n%s", file, got.Bytes(), err, want)
		}
	}
}

// TestCaddyfilesOfThePages adapts every Caddyfile that a page shows, and the
// one that machines start from.
func TestCaddyfilesOfThePages(t *testing.T) {
	t.Parallel()
	adapt := func(name string, source []byte) {
		if formatted := caddyfile.Format(source); !bytes.Equal(formatted, source) {
			t.Errorf("%s is not as caddy fmt has it:\n%s", name, formatted)
		}
		if _, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(source, map[string]any{"filename": name}); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v\n%s", name, err, warnings, source)
		}
	}
	file, err := os.ReadFile("../deploy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	adapt("deploy/Caddyfile", file)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	// A block in a list is indented; the tag says what else it is.
	block := regexp.MustCompile("(?ms)^( *)```caddyfile( title=grammar)?[^\n]*\n(.*?)^ *```")
	found := 0
	blocks := func(path string, text []byte) {
		for _, m := range block.FindAllSubmatch(text, -1) {
			if len(m[2]) > 0 {
				continue
			}
			found++
			lines := strings.ReplaceAll("\n"+string(m[3]), "\n"+string(m[1]), "\n")
			adapt(path, []byte(lines[1:]))
		}
	}
	blocks("README.md", readme)
	err = filepath.WalkDir("../docs", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".vitepress") { // no pages
				return fs.SkipDir
			}
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		blocks(path, text)
		return nil
	})
	if err != nil || found < 12 {
		t.Errorf("%d Caddyfiles on the pages, %v", found, err)
	}
}

// TestDocumentedOptions holds docs/caddyfile.md and the mistakes' own words to
// the options that are parsed.
func TestDocumentedOptions(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		parse, other func(*caddyfile.Dispenser) error // of the options' block, and of the other
		place        string                           // what other says of them
		options      []string
	}{
		{new(App).UnmarshalCaddyfile, new(Gate).UnmarshalCaddyfile, " is a global option", []string{"backend", "edge_key", "max_staleness", "when_backend_down", "offline_time", "offline_sessions", "assertion_key", "debug_key"}},
		{new(Gate).UnmarshalCaddyfile, new(App).UnmarshalCaddyfile, " belongs into a site", []string{"provider", "on_missing", "on_expired", "inject", "forward_identity", "cookie", "open", "origin_errors", "upload_grace", "page_template", "app_address", "upgrade", "origin", "observe_only"}},
	} {
		err := tt.parse(caddyfile.NewTestDispenser("session_gate {\n\tno_such_option\n}"))
		if err == nil {
			t.Fatal("an unknown option was taken")
		}
		for _, o := range tt.options {
			if !strings.Contains(err.Error(), o) {
				t.Errorf("the message about an unknown option does not name %s: %v", o, err)
			}
			if !strings.Contains(string(doc), "| `"+o+"` |") {
				t.Errorf("docs/caddyfile.md does not describe %s", o)
			}
			err := tt.other(caddyfile.NewTestDispenser("session_gate {\n\t" + o + " x\n}"))
			if err == nil || !strings.Contains(err.Error(), o+tt.place) {
				t.Errorf("%s in the other block: %v", o, err)
			}
		}
	}
	for _, o := range originOptions {
		if !strings.Contains(string(doc), "| `"+o+"` |") || !strings.Contains(string(doc), "\n\t"+o) {
			t.Errorf("docs/caddyfile.md does not describe %s of origin", o)
		}
	}
}
