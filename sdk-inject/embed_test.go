package sdkinject

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestAssetsAreServable(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`^[a-z]+(-[a-z]{2})?\.[0-9a-f]{8}\.js$`)
	list := Assets()
	files, err := dist.ReadDir("dist")
	if err != nil || len(list) != len(files) {
		t.Fatalf("got %d assets of %d files (%v)", len(list), len(files), err)
	}
	for _, asset := range list {
		if !named.MatchString(asset.Name) {
			t.Errorf("name %q is not base.hash.js", asset.Name)
		}
		if !asset.Exact || asset.ContentType != "text/javascript; charset=utf-8" {
			t.Errorf("%s: exact %t, type %q", asset.Name, asset.Exact, asset.ContentType)
		}
		if !strings.HasPrefix(asset.Integrity, "sha384-") {
			t.Errorf("%s: integrity %q", asset.Name, asset.Integrity)
		}
		r, err := gzip.NewReader(bytes.NewReader(asset.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(plain, asset.Body) {
			t.Errorf("%s: its gzip form is another file (%v)", asset.Name, err)
		}
		if !bytes.Equal(compress(asset.Body), asset.Gzip) {
			t.Errorf("%s: compressing it again gives other bytes", asset.Name)
		}
	}
}

func TestPartsNameOneAnother(t *testing.T) {
	t.Parallel()
	left := regexp.MustCompile(`__[A-Z_]+__`)
	for _, asset := range Assets() {
		if found := left.Find(asset.Body); found != nil {
			t.Errorf("%s still holds the token %s", asset.Name, found)
		}
	}
	for _, pair := range [][2]string{
		{"boot", "sdk"}, {"sdk", "dialog"}, {"sdk", "actions"}, {"sdk", "move"}, {"boot", "integrity"},
		{"sdk", "languages"}, {"languages", "chip-ar"}, {"chip-ar", "words-ar"},
	} {
		loader, loaded := assets[pair[0]], assets[pair[1]]
		if !bytes.Contains(loader.Body, []byte("./"+loaded.Name)) {
			t.Errorf("%s does not load %s", loader.Name, loaded.Name)
		}
	}
}

// Pages with an Integrity-Policy run no script without its hash: the first file that
// boot.js loads there names those of all others.
func TestIntegrityOfEveryPart(t *testing.T) {
	t.Parallel()
	if boot, integrity := assets["boot"], assets["integrity"]; !bytes.Contains(boot.Body, []byte(integrity.Integrity)) {
		t.Errorf("%s does not hold the integrity of %s", boot.Name, integrity.Name)
	}
	for base, asset := range assets {
		if base == "boot" || base == "integrity" {
			continue
		}
		for _, want := range []string{"./" + asset.Name, asset.Integrity} {
			if !bytes.Contains(assets["integrity"].Body, []byte(want)) {
				t.Errorf("integrity.js does not hold %s of %s", want, base)
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	boot := Boot()
	tests := []struct {
		name         string
		found, exact bool
	}{
		{boot.Name, true, true},
		{"boot.00000000.js", true, false},
		{"boot.00000000000000000000000000000000.js", true, false},
		{"boot.js", true, false},
		{"boot", false, false},
		{"boot.", false, false},
		{"boot.css", false, false},
		{"boot.zzzzzzzz.js", false, false},
		{"boot.00000000.js.map", false, false},
		{"boot.0000.js", false, false},
		{"other.00000000.js", false, false},
		{"chip-xx.00000000.js", false, false},
		{"../boot.js", false, false},
		{"", false, false},
	}
	for _, test := range tests {
		asset, found := Find(test.name)
		if found != test.found || asset.Exact != test.exact {
			t.Errorf("Find(%q) = exact %t, found %t; want %t, %t", test.name, asset.Exact, found, test.exact, test.found)
		}
		if found && !bytes.Equal(asset.Body, boot.Body) {
			t.Errorf("Find(%q) has another body than the current one", test.name)
		}
	}
}

// An old page's script must not be remembered as what its name promised.
func TestFindLeavesTheOriginalExact(t *testing.T) {
	t.Parallel()
	Find("sdk.00000000.js")
	if !assets["sdk"].Exact {
		t.Error("asking for an old name changed the current asset")
	}
}

func TestTokensCSS(t *testing.T) {
	t.Parallel()
	if !strings.Contains(TokensCSS(), "--sg-accent:") {
		t.Error("no --sg-accent in the shared tokens")
	}
}

func TestBootStaysSmall(t *testing.T) {
	t.Parallel()
	if got := len(Boot().Gzip); got > 768 {
		t.Errorf("boot.js is %d bytes of gzip, want at most 768", got)
	}
}

// A page cached before the dialogs were split names them as they were.
func TestFindEveryPart(t *testing.T) {
	t.Parallel()
	for _, base := range parts {
		if asset, found := Find(base + ".00000000.js"); !found || asset.Exact || asset.Name != assets[base].Name {
			t.Errorf("an old name of %s: found %t, exact %t", base, found, asset.Exact)
		}
	}
}

func ExampleFind() {
	asset, found := Find("boot.00000000.js")
	fmt.Println(found, asset.Exact, asset.Name == Boot().Name)
	// Output: true false true
}
