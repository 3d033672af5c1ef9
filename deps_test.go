package sessiongate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sessiongate/sessiongate/"

// rule says what the packages below a folder may not import, directly or
// through others, and why. A name that ends in / stands for all below it.
type rule struct {
	folder    string
	forbidden map[string]string
	// Looks only at what a package imports itself: what stands between it and the
	// forbidden package may know that package.
	direct bool
}

var rules = []rule{
	{folder: "caddymodule/", forbidden: map[string]string{
		module + "backend/":          "the edge knows the backend by its API alone, so that each can be replaced",
		module + "examples/":         "the product does not depend on its demonstration",
		"github.com/redis/go-redis/": "coordination is the backend's; the edge follows its event stream",
	}},
	{folder: "caddymodule/edge/", forbidden: map[string]string{
		module + "caddymodule": "it survives the gates of one configuration, so it knows none",
	}},
	{folder: "caddymodule/inject/", forbidden: map[string]string{
		"github.com/caddyserver/caddy/": "the injector is plain net/http, so that it can be fuzzed and measured alone",
		module + "internal/protocol":    "the injector knows pages, not sessions",
	}},
	{folder: "edgestorage/", forbidden: map[string]string{
		module + "backend/":     "edges share certificates without the session service",
		module + "caddymodule/": "it knows files, not sessions",
	}},
	{folder: "backend/", forbidden: map[string]string{
		"github.com/caddyserver/caddy/": "the session service runs without Caddy",
		module + "caddymodule/":         "the backend knows the edge by its API alone",
		module + "sdk-inject/":          "scripts are the edge's",
		module + "examples/":            "the product does not depend on its demonstration",
	}},
	{folder: "backend/api/", direct: true, forbidden: map[string]string{
		module + "backend":          "handlers know use cases, not the process that runs them",
		module + "backend/store/":   "handlers reach the record by use cases",
		module + "backend/session/": "handlers reach the rules by use cases",
		module + "backend/ledger/":  "handlers reach the rules by use cases",
		module + "backend/coord/":   "handlers reach live states by use cases",
		module + "backend/webhook/": "handlers reach webhooks by use cases",
		module + "backend/keyring/": "handlers reach the signing keys by use cases",
		"database/sql":              "handlers reach the record by use cases",
	}},
	{folder: "backend/service/", forbidden: map[string]string{
		module + "backend":               "use cases do not know the process that runs them",
		module + "backend/api/":          "use cases do not know who calls them",
		module + "backend/dashboard/":    "use cases do not know who calls them",
		"github.com/danielgtaylor/huma/": "use cases do not know who calls them",
	}},
	{folder: "backend/shape/", forbidden: map[string]string{
		module + "backend/store/":   "a shape is made of the rules' values alone",
		module + "backend/service/": "service and api share it, so it stands below both",
		module + "backend/api/":     "service and api share it, so it stands below both",
		module + "backend/coord/":   "a shape is made of the rules' values alone",
		"database/sql":              "a shape is made of the rules' values alone",
	}},
	{folder: "backend/store/", forbidden: map[string]string{
		module + "backend/service/": "the store keeps what it is given and decides nothing",
		module + "backend/api/":     "the store keeps what it is given and decides nothing",
		module + "backend/shape/":   "what the API shows may change without the record",
		module + "backend/coord/":   "the record does not depend on what may be lost",
		module + "backend/webhook/": "the store keeps deliveries and makes none",
		module + "backend/keyring/": "the store keeps keys and knows none",
	}},
	{folder: "backend/coord/", forbidden: belowUseCases},
	{folder: "backend/webhook/", forbidden: belowUseCases},
	{folder: "backend/keyring/", forbidden: belowUseCases},
	{folder: "backend/session/", forbidden: pure, direct: true},
	{folder: "backend/ledger/", forbidden: pure, direct: true},
	{folder: "backend/domain/", forbidden: pure, direct: true},
	{folder: "backend/resolver/", forbidden: belowUseCases},
	{folder: "backend/ledger/", forbidden: map[string]string{module + "backend/session": "the ledger knows amounts, not sessions"}},
	{folder: "internal/", forbidden: map[string]string{
		module + "backend/":             "both sides share it, so it belongs to neither",
		module + "caddymodule/":         "both sides share it, so it belongs to neither",
		"github.com/caddyserver/caddy/": "the backend uses it too",
	}},
	{folder: "internal/doctor/", forbidden: map[string]string{
		module + "sdk-inject/": "what the injector does it is told, so that the session service may ask the doctor, too",
	}},
	{folder: "sdk-inject/", forbidden: map[string]string{
		module + "internal/":    "it embeds files and nothing else",
		module + "caddymodule/": "it embeds files and nothing else",
	}},
	{folder: "examples/", forbidden: map[string]string{
		module + "backend/":     "a marketplace and an app use the HTTP API, as those of others do",
		module + "caddymodule/": "a marketplace and an app use the HTTP API, as those of others do",
		module + "internal/":    "it shows what others write, and others cannot import this",
	}},
	{folder: "cmd/", forbidden: map[string]string{
		"testing":                        "a test library in the shipped program",
		"github.com/stretchr/testify/":   "a test library in the shipped program",
		"github.com/alicebob/miniredis/": "a test library in the shipped program",
	}},
}

// belowUseCases keeps packages that use cases combine from knowing one another.
var belowUseCases = map[string]string{
	module + "backend/service/": "use cases combine it with the others; it knows none of them",
	module + "backend/api/":     "use cases combine it with the others; it knows none of them",
	module + "backend/shape/":   "use cases combine it with the others; it knows none of them",
	module + "backend/store/":   "use cases combine it with the others; it knows none of them",
	module + "backend/session/": "use cases combine it with the others; it knows none of them",
	module + "backend/ledger/":  "use cases combine it with the others; it knows none of them",
}

// pure is what keeps rules testable: no network, no database, no clock.
var pure = map[string]string{
	"net/":                      "rules do no I/O",
	"database/":                 "rules do no I/O",
	"os/":                       "rules do no I/O",
	"io/":                       "rules do no I/O",
	"crypto/rand":               "randomness is an argument",
	"math/rand/":                "randomness is an argument",
	module + "backend/store/":   "rules know no record",
	module + "backend/service/": "rules know no use case",
}

type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Dir,GoFiles,Imports,Deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestImports holds the map of the tree: who may know whom.
func TestImports(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range packages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module) + "/"
		for _, r := range rules {
			if !strings.HasPrefix(rel, r.folder) {
				continue
			}
			seen[r.folder] = true
			// A pure package is judged by what it imports itself, too: the standard
			// library reaches os from anywhere.
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, imported := range imports {
				if why, bad := breach(r, p.ImportPath, imported); bad {
					t.Errorf("%s imports %s: %s", p.ImportPath, imported, why)
				}
			}
		}
		switch name := path.Base(p.ImportPath); name {
		case "util", "utils", "common", "helpers", "models":
			t.Errorf("package %s: a package is named for what it does", p.ImportPath)
		}
	}
	for _, r := range rules {
		if !seen[r.folder] {
			t.Errorf("no package stands below %s; does the rule still mean anything?", r.folder)
		}
	}
}

// narrow are packages that import the standard library and what is named here,
// directly or through others, and why.
var narrow = map[string]struct {
	allowed []string
	why     string
}{
	"caddymodule/live":   {[]string{module + "internal/protocol"}, "sessions end what is registered with them by an interface; they know no request and no Caddy"},
	"caddymodule/origin": {nil, "it forwards requests of any net/http server, and does not know whose they are"},
	"caddymodule/cut":    {[]string{module + "internal/protocol"}, "it ends requests of any net/http server, and does not know whose they are"},
}

func TestNarrowImports(t *testing.T) {
	left := maps.Clone(narrow)
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		n, ok := narrow[name]
		if !ok {
			continue
		}
		delete(left, name)
		for _, imported := range p.Deps {
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !slices.Contains(n.allowed, imported) {
				t.Errorf("%s imports %s: %s", p.ImportPath, imported, n.why)
			}
		}
	}
	for name := range left {
		t.Errorf("there is no package %s; does the rule still mean anything?", name)
	}
}

func breach(r rule, importer, imported string) (string, bool) {
	for name, why := range r.forbidden {
		folder, below := strings.CutSuffix(name, "/")
		if imported == folder || below && strings.HasPrefix(imported, folder+"/") {
			return why, imported != importer
		}
	}
	return "", false
}

// processWide are calls that change something for the whole process, and what
// they look like in code.
var processWide = regexp.MustCompile(`\b(` + strings.Join([]string{
	`debug\.Set(GCPercent|MaxStack|MaxThreads|MemoryLimit|PanicOnFault)\(`, `runtime\.GOMAXPROCS\([^0]`, `os\.(Setenv|Unsetenv|Clearenv|Chdir)\(`,
	`http\.(DefaultTransport|DefaultClient|DefaultServeMux)\b`, `http\.(Handle|HandleFunc)\(`, `expvar\.(Publish|New\w+)\(`,
	`otel\.Set\w+\(`, `prometheus\.(MustRegister|Register|DefaultRegisterer)\b`, `promauto\.New`,
	`redis\.SetLogger\(`, `huma\.NewError\w*\s*=`, `slog\.SetDefault\(`, `log\.Set(Output|Flags|Prefix)\(`, `zap\.(ReplaceGlobals|RedirectStdLog\w*)\(`,
	`net\.DefaultResolver\s*=`, `rand\.Seed\(`, `signal\.(Notify|Ignore|Reset)\(`,
}, "|") + `)`)

// TestModuleChangesNothingProcessWide: what others load into their Caddy leaves
// their process as it is, and takes no name there without its prefix. Only our
// own main may do more.
func TestModuleChangesNothingProcessWide(t *testing.T) {
	all := packages(t)
	loaded := map[string]bool{strings.TrimSuffix(module, "/"): true}
	for _, p := range all {
		if loaded[p.ImportPath] {
			for _, d := range p.Deps {
				loaded[d] = true
			}
		}
	}
	moduleID := regexp.MustCompile(`ModuleInfo\{\s*ID: +"([^"]*)"`)
	files := 0
	for _, p := range all {
		if !loaded[p.ImportPath] {
			continue
		}
		for _, name := range p.GoFiles {
			body, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files++
			for _, found := range processWide.FindAll(body, -1) {
				t.Errorf("%s: %s…: it changes the process of whoever loads the module", filepath.Join(p.ImportPath, name), found)
			}
			for _, id := range moduleID.FindAllSubmatch(body, -1) {
				if !strings.Contains(string(id[1]), "session_gate") {
					t.Errorf("%s: module %s: its name lacks the prefix session_gate", filepath.Join(p.ImportPath, name), id[1])
				}
			}
		}
	}
	if files < 50 {
		t.Errorf("looked at %d files", files)
	}
}

// TestPureRulesTakeTheClock makes sure that state machine and ledger are given
// the time and never look.
func TestPureRulesTakeTheClock(t *testing.T) {
	for _, folder := range []string{"backend/session", "backend/ledger"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(tree, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since" || sel.Sel.Name == "Until") {
					t.Errorf("%s calls time.%s: the time is an argument", file, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

// TestUseCasesServeNoHTTP makes sure that package service uses net/http as a
// client and nothing else of it.
func TestUseCasesServeNoHTTP(t *testing.T) {
	files, err := filepath.Glob("backend/service/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "http" && sel.Sel.Name != "Client" {
				t.Errorf("%s uses http.%s: serving HTTP is package api's", file, sel.Sel.Name)
			}
			return true
		})
	}
}

// TestTokensAreOne keeps every page of ours in the same colors: the backend may
// not import scripts of the edge, so it has a copy.
func TestTokensAreOne(t *testing.T) {
	source, err := os.ReadFile("sdk-inject/src/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile("backend/dashboard/static/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(source, copied) {
		t.Error("backend/dashboard/static/tokens.css is not sdk-inject/src/tokens.css: copy it")
	}
}
