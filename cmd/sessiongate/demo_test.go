package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/examples/marketplace"
)

// TestDemoPrintsTheKeyOfEachApp: whoever starts the demo can sign in as each of its
// providers, and as the operator.
func TestDemoPrintsTheKeyOfEachApp(t *testing.T) {
	t.Parallel()
	for _, o := range []demoOptions{
		{basePort: 9000, duration: time.Minute},
		{basePort: 9000, duration: time.Minute, origin: "http://127.0.0.1:3000"},
	} {
		d := &demo{options: o, apps: demoApps(o), at: demoAddresses{API: "http://127.0.0.1:9001", Marketplace: "http://localhost:9000", AdminKey: "key-of-the-operator"}}
		for i := range d.apps {
			d.apps[i].ProviderKey = "key-of-" + d.apps[i].ProviderID
		}
		var out strings.Builder
		d.announce(&out)
		for _, a := range d.apps {
			if !hasLine(out.String(), "as the provider of "+a.Name, a.ProviderKey) || !strings.Contains(out.String(), a.App) {
				t.Errorf("nothing to sign in with as the provider of %s:\n%s", a.Name, &out)
			}
		}
		if !hasLine(out.String(), "as the operator", "key-of-the-operator") {
			t.Errorf("nothing to sign in with as the operator:\n%s", &out)
		}
	}
}

// TestDemoPrintsNamesOfAnyLength: a long name keeps its key on its line.
func TestDemoPrintsNamesOfAnyLength(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("long ", 20)
	d := &demo{apps: []demoApp{{demoAppAddress: demoAppAddress{Name: name, ProviderKey: "key"}, product: marketplace.App{}}}}
	var out strings.Builder
	d.announce(&out)
	if !hasLine(out.String(), name, "key") {
		t.Errorf("got\n%s", &out)
	}
}

// hasLine reports whether a line of text contains both words.
func hasLine(text, a, b string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, a) && strings.Contains(line, b) {
			return true
		}
	}
	return false
}
