package protocol_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// browserFile declares in TypeScript what this package declares for browsers.
const browserFile = "../../sdk-inject/src/protocol.ts"

// answers are what browsers read: TypeScript declares each field as this
// package does, and as optional where it may be missing.
var answers = []any{
	protocol.Extension{}, protocol.PauseRight{}, protocol.SessionView{}, protocol.SessionAnswer{},
	protocol.HeartbeatAnswer{}, protocol.Problem{}, protocol.SessionSite{}, protocol.SiteClock{}, protocol.ClockTexts{},
}

// requests are what browsers send: TypeScript may require what this package
// leaves open.
var requests = []any{protocol.HeartbeatRequest{}, protocol.ExtendRequest{}}

func TestTypeScriptDeclaresTheSame(t *testing.T) {
	t.Parallel()
	declared := readTypeScript(t)
	seen := map[string]bool{}
	compare := func(v any, isRequest bool) {
		typ := reflect.TypeOf(v)
		seen[typ.Name()] = true
		want, got := fieldsOf(typ), declared.interfaces[typ.Name()]
		for name, field := range want {
			has, ok := got[name]
			if isRequest {
				field.optional = has.optional && field.optional
			}
			if !ok || has != field {
				t.Errorf("%s: %s.%s is %+v, want %+v", browserFile, typ.Name(), name, has, field)
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("%s: %s.%s is not in Go", browserFile, typ.Name(), name)
			}
		}
	}
	for _, v := range answers {
		compare(v, false)
	}
	for _, v := range requests {
		compare(v, true)
	}
	for name := range declared.interfaces {
		if !seen[name] {
			t.Errorf("%s: no test compares the interface %s", browserFile, name)
		}
	}

	constants := constantsOf(t)
	for union, want := range map[string][]string{
		"Status": constants["Status"], "Code": constants["Code"], "GatePath": constants["gate path"],
		"SettlementPolicy": constants["SettlementPolicy"], "Mode": constants["Mode"],
	} {
		got := slices.Sorted(slices.Values(declared.unions[union]))
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s is %q, want %q", browserFile, union, got, want)
		}
	}
	for union := range declared.unions {
		if union != "Status" && union != "Code" && union != "GatePath" && union != "SettlementPolicy" && union != "Mode" {
			t.Errorf("%s: no test compares the type %s", browserFile, union)
		}
	}
	if want := map[string]string{"GATE_PREFIX": protocol.GatePrefix}; !reflect.DeepEqual(declared.constants, want) {
		t.Errorf("%s: the constants are %q, want %q", browserFile, declared.constants, want)
	}
}

// field is a property of an interface, as TypeScript writes it.
type field struct {
	typ      string
	optional bool
}

type typeScript struct {
	interfaces map[string]map[string]field
	unions     map[string][]string
	constants  map[string]string
}

var (
	tsComment   = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	tsInterface = regexp.MustCompile(`(?s)^export interface (\w+) \{(.*?)\n\}\s*`)
	tsProperty  = regexp.MustCompile(`^(\w+)(\??): ([\w\[\]<>, ]+)$`)
	tsUnion     = regexp.MustCompile(`(?s)^export type (\w+) =([\s"|\w]+);\s*`)
	tsString    = regexp.MustCompile(`"(\w+)"`)
	tsConstant  = regexp.MustCompile(`^export const (\w+) = ("[^"]*");\s*`)
)

// readTypeScript reads the file's declarations. What it does not understand
// fails the test.
func readTypeScript(t *testing.T) typeScript {
	t.Helper()
	source, err := os.ReadFile(browserFile)
	if err != nil {
		t.Fatal(err)
	}
	read := typeScript{map[string]map[string]field{}, map[string][]string{}, map[string]string{}}
	rest := strings.TrimSpace(tsComment.ReplaceAllString(string(source), ""))
	for rest != "" {
		if m := tsInterface.FindStringSubmatch(rest); m != nil {
			rest = rest[len(m[0]):]
			fields := map[string]field{}
			for _, line := range strings.Split(m[2], ";") {
				line = strings.TrimSpace(line)
				if line == "" {
					continue
				}
				property := tsProperty.FindStringSubmatch(line)
				if property == nil {
					t.Fatalf("%s: the property %q of %s is not one that this test understands", browserFile, line, m[1])
				}
				fields[property[1]] = field{property[3], property[2] == "?"}
			}
			read.interfaces[m[1]] = fields
		} else if m := tsUnion.FindStringSubmatch(rest); m != nil {
			rest = rest[len(m[0]):]
			for _, s := range tsString.FindAllStringSubmatch(m[2], -1) {
				read.unions[m[1]] = append(read.unions[m[1]], s[1])
			}
		} else if m := tsConstant.FindStringSubmatch(rest); m != nil {
			rest = rest[len(m[0]):]
			value, err := strconv.Unquote(m[2])
			if err != nil {
				t.Fatal(err)
			}
			read.constants[m[1]] = value
		} else {
			t.Fatalf("%s: this test does not understand %.80q", browserFile, rest)
		}
	}
	return read
}

// fieldsOf is a struct's JSON as TypeScript would declare it.
func fieldsOf(typ reflect.Type) map[string]field {
	fields := map[string]field{}
	for f := range typ.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue // it is not sent
		}
		fields[name] = field{typeOf(f.Type), strings.Contains(options, "omit")}
	}
	return fields
}

func typeOf(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Pointer:
		return typeOf(typ.Elem())
	case reflect.Slice:
		return typeOf(typ.Elem()) + "[]"
	case reflect.Map:
		return "Record<" + typeOf(typ.Key()) + ", " + typeOf(typ.Elem()) + ">"
	case reflect.Struct:
		return typ.Name()
	case reflect.String:
		if typ.Name() != "string" {
			return typ.Name()
		}
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "number"
	}
	return "unknown to this test: " + typ.String()
}

// constantsOf reads the package's constants: the statuses, the codes, and the
// paths below [protocol.GatePrefix].
func constantsOf(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	found := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			if typ, ok := spec.Type.(*ast.Ident); ok {
				if value, ok := spec.Values[0].(*ast.BasicLit); ok {
					s, _ := strconv.Unquote(value.Value)
					found[typ.Name] = append(found[typ.Name], s)
				}
			}
			if sum, ok := spec.Values[0].(*ast.BinaryExpr); ok {
				if x, ok := sum.X.(*ast.Ident); ok && x.Name == "GatePrefix" {
					s, _ := strconv.Unquote(sum.Y.(*ast.BasicLit).Value)
					found["gate path"] = append(found["gate path"], s)
				}
			}
			return true
		})
	}
	return found
}
