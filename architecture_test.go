package sessiongate_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the packages that docs/architecture.md draws")

const architecture = "docs/architecture.md"

// packagesBlock and layersBlock are the parts of docs/architecture.md that this
// test reads.
var (
	packagesBlock = regexp.MustCompile("(?ms)^```text packages\n(.*?)^```$")
	layersBlock   = regexp.MustCompile("(?ms)^```text layers\n(.*?)^```$")
)

// TestArchitecture compares the packages and imports that docs/architecture.md
// draws with those of the code. Run it with -update to draw them anew:
//
//	go test -run TestArchitecture . -update
func TestArchitecture(t *testing.T) {
	doc, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	imports := internalImports(packages(t))
	if *update {
		if doc, err = redraw(doc, imports); err == nil {
			err = os.WriteFile(architecture, doc, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, problem := range compare(doc, imports) {
		t.Error(problem)
	}
}

// TestArchitectureNotices: the comparison fails for what it is meant to find.
func TestArchitectureNotices(t *testing.T) {
	const page = "The program `cmd/x` runs `backend` over `internal/y`.\n" +
		"```text layers\nprogram  cmd/\nservice  backend\nshared   internal/\n```\n" +
		"```text packages\n%s```\n"
	for _, tt := range []struct{ name, block, internal, want string }{
		{"true", "cmd/x -> backend\nbackend -> internal/y\ninternal/y ->\n", "", ""},
		{"missing arrow", "cmd/x -> backend\nbackend ->\ninternal/y ->\n", "", "backend imports internal/y"},
		{"extra arrow", "cmd/x -> backend internal/y\nbackend -> internal/y\ninternal/y ->\n", "", "cmd/x does not import internal/y"},
		{"missing package", "cmd/x -> backend\nbackend -> internal/y\n", "", "does not draw package internal/y"},
		{"extra package", "cmd/x -> backend\nbackend -> internal/y\ninternal/y ->\nbackend/z ->\n", "", "no package backend/z"},
		{"upward arrow", "cmd/x -> backend\nbackend -> internal/y\ninternal/y -> cmd/x\n", "cmd/x", "internal/y (layer shared) imports cmd/x (layer program)"},
		{"sideways arrow", "cmd/x -> backend\nbackend -> internal/y\ninternal/y -> internal/z\ninternal/z ->\n", "internal/z", "internal/y (layer shared) imports internal/z (layer shared)"},
		{"unexplained package", "cmd/x -> backend\nbackend -> internal/y\ninternal/y ->\ninternal/z ->\n", "+internal/z", "does not explain `internal/z`"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			imports := map[string][]string{"cmd/x": {"backend"}, "backend": {"internal/y"}, "internal/y": nil}
			if name, ok := strings.CutPrefix(tt.internal, "+"); ok {
				imports[name] = nil
			} else if tt.internal != "" {
				imports["internal/y"] = []string{tt.internal}
				if _, known := imports[tt.internal]; !known {
					imports[tt.internal] = nil
				}
			}
			got := compare(fmt.Appendf(nil, page, tt.block), imports)
			if tt.want == "" && len(got) > 0 || tt.want != "" && !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("compare found %q, want %q", got, tt.want)
			}
			drawn, err := redraw(fmt.Appendf(nil, page, tt.block), imports)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range compare(drawn, imports) {
				if !strings.Contains(problem, "layer") && !strings.Contains(problem, "explain") {
					t.Errorf("after -update: %s", problem)
				}
			}
		})
	}
}

// internalImports are the packages of this module that ship, each with the ones
// that it imports. What only tests and measurements need is left out.
func internalImports(all []listed) map[string][]string {
	imports := make(map[string][]string)
	for _, p := range all {
		name, ok := shortName(p.ImportPath)
		if !ok {
			continue
		}
		list := []string{}
		for _, imported := range p.Imports {
			if short, ok := shortName(imported); ok {
				list = append(list, short)
			}
		}
		slices.Sort(list)
		imports[name] = list
	}
	return imports
}

// shortName is a package's path in this module, "." for its root.
func shortName(importPath string) (string, bool) {
	if importPath+"/" == module {
		return ".", true
	}
	name, ok := strings.CutPrefix(importPath, module)
	if !ok || strings.HasSuffix(path.Base(name), "test") {
		return "", false
	}
	for _, folder := range []string{"e2e", "bench", "tools", "deploy"} {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			return "", false
		}
	}
	return name, true
}

// compare returns what the page says differently from the code, and the arrows
// that do not lead to a lower layer.
func compare(doc []byte, imports map[string][]string) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	block := packagesBlock.FindSubmatch(doc)
	if block == nil {
		return []string{architecture + " has no block ```text packages"}
	}
	drawn := make(map[string][]string)
	for line := range strings.Lines(string(block[1])) {
		name, list, ok := strings.Cut(line, "->")
		if name = strings.TrimSpace(name); !ok || name == "" {
			say("%s: not of the form `package -> packages`: %q", architecture, line)
			continue
		}
		drawn[name] = strings.Fields(list)
	}
	prose := string(packagesBlock.ReplaceAll(layersBlock.ReplaceAll(doc, nil), nil))
	layers := readLayers(doc)
	for _, name := range sortedKeys(imports) {
		list, ok := drawn[name]
		if !ok {
			say("%s does not draw package %s", architecture, name)
		}
		for _, imported := range imports[name] {
			if ok && !slices.Contains(list, imported) {
				say("%s imports %s, which %s does not draw", name, imported, architecture)
			}
			from, to := layers.of(name), layers.of(imported)
			if from >= to {
				say("%s (layer %s) imports %s (layer %s): imports lead to lower layers only", name, layers.name(from), imported, layers.name(to))
			}
		}
		for _, imported := range list {
			if !slices.Contains(imports[name], imported) {
				say("%s does not import %s, as %s draws", name, imported, architecture)
			}
		}
		if layers.of(name) < 0 {
			say("package %s stands in no layer of %s", name, architecture)
		}
		if !strings.Contains(prose, "`"+name+"`") {
			say("%s does not explain `%s`", architecture, name)
		}
	}
	for _, name := range sortedKeys(drawn) {
		if _, ok := imports[name]; !ok {
			say("%s draws a package that is not there: no package %s", architecture, name)
		}
	}
	return problems
}

// redraw replaces the block of packages with those of the code.
func redraw(doc []byte, imports map[string][]string) ([]byte, error) {
	at := packagesBlock.FindSubmatchIndex(doc)
	if at == nil {
		return nil, fmt.Errorf("%s has no block ```text packages", architecture)
	}
	layers := readLayers(doc)
	names := sortedKeys(imports)
	slices.SortStableFunc(names, func(a, b string) int { return layers.of(a) - layers.of(b) })
	var block bytes.Buffer
	for _, name := range names {
		block.WriteString(strings.TrimSpace(name+" -> "+strings.Join(imports[name], " ")) + "\n")
	}
	return slices.Concat(doc[:at[2]], block.Bytes(), doc[at[3]:]), nil
}

// layering is the layers of the page, from the top down: the first word of a
// line names the layer, the others its packages. Successive lines with the same
// first word are one layer. A name that ends in / stands for every package below
// it that has no place of its own.
type layering []struct {
	title    string
	packages []string
}

func readLayers(doc []byte) (l layering) {
	if block := layersBlock.FindSubmatch(doc); block != nil {
		for line := range strings.Lines(string(block[1])) {
			words := strings.Fields(line)
			switch {
			case len(words) == 0:
			case len(l) > 0 && l[len(l)-1].title == words[0]:
				l[len(l)-1].packages = append(l[len(l)-1].packages, words[1:]...)
			default:
				l = append(l, struct {
					title    string
					packages []string
				}{words[0], words[1:]})
			}
		}
	}
	return l
}

// of is the index of a package's layer, or -1.
func (l layering) of(name string) int {
	found, length := -1, 0
	for i, layer := range l {
		for _, p := range layer.packages {
			if p == name {
				return i
			}
			if strings.HasSuffix(p, "/") && strings.HasPrefix(name, p) && len(p) > length {
				found, length = i, len(p)
			}
		}
	}
	return found
}

func (l layering) name(i int) string {
	if i < 0 {
		return "none"
	}
	return l[i].title
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
