package api

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/backend/shape"
)

// TestStatisticsOfTheSDK holds the types of the SDK's statistics to the API's: a field or a filter that the API has,
// and the types lack, is one that a provider cannot use.
func TestStatisticsOfTheSDK(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../sdk-inject/src/package/stats.ts")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"SessionDay":   without(tagged(reflect.TypeFor[sessionDay](), "json"), "date"),
		"RevenueDay":   without(tagged(reflect.TypeFor[revenueDay](), "json"), "date"),
		"UserDay":      without(tagged(reflect.TypeFor[userDay](), "json"), "date"),
		"SessionQuery": without(tagged(reflect.TypeFor[providerSessionsInput](), "query"), "from", "to", "mode"), // those of Period
		"Period":       tagged(reflect.TypeFor[RangeInput](), "query"),
	} {
		got := fieldsOf(t, string(text), name)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, and the API %v", name, got, want)
		}
	}
	if !strings.Contains(string(text), "}"+ignoredQuery+"=${") {
		t.Errorf("the SDK does not send the parameter %s, or the API takes another", ignoredQuery)
	}
	api := tagged(reflect.TypeFor[shape.SessionBody](), "json")
	for _, field := range fieldsOf(t, string(text), "SessionRow") {
		if !slices.Contains(api, field) {
			t.Errorf("SessionRow has %s, and the API has not", field)
		}
	}
}

// tagged returns the names that a struct's tags give its fields, and those of the structs in it.
func tagged(of reflect.Type, key string) (names []string) {
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Anonymous {
			names = append(names, tagged(field.Type, key)...)
		} else if name, _, _ := strings.Cut(field.Tag.Get(key), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func without(names []string, some ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(some, name) })
}

// fieldsOf returns the sorted names of an interface's own fields.
func fieldsOf(t *testing.T, text, name string) (names []string) {
	t.Helper()
	body := regexp.MustCompile(`(?s)interface ` + name + `\b[^{]*\{\n(.*?)\n\}`).FindStringSubmatch(text)
	if body == nil {
		t.Fatalf("stats.ts has no interface %s", name)
	}
	for _, field := range regexp.MustCompile(`(?m)^  (\w+)\??: `).FindAllStringSubmatch(body[1], -1) {
		names = append(names, field[1])
	}
	slices.Sort(names)
	return names
}
