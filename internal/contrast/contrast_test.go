package contrast

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors.json")

// vector is an accent and its shades, which the clock's code computes, too.
type vector struct {
	Accent string `json:"accent"`
	Light  Shades `json:"light"`
	Dark   Shades `json:"dark"`
}

// TestEveryAccentIsReadable tries colors from all over the cube.
func TestEveryAccentIsReadable(t *testing.T) {
	t.Parallel()
	for r := 0; r < 256; r += 15 {
		for g := 0; g < 256; g += 15 {
			for b := 0; b < 256; b += 15 {
				accent := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				onLight, onDark, err := For(accent)
				if err != nil {
					t.Fatal(err)
				}
				for name, s := range map[string]struct {
					Shades
					scheme scheme
				}{"light": {onLight, light}, "dark": {onDark, dark}} {
					if s.Fill != accent || Ratio(s.Ink, s.Fill) < AA {
						t.Fatalf("%s on %s: text %s on %s has %.2f", accent, name, s.Ink, s.Fill, Ratio(s.Ink, s.Fill))
					}
					for _, surface := range s.scheme.surfaces {
						if got := Ratio(s.Text, surface.String()); got < AA {
							t.Fatalf("%s on %s: %s on %s has %.2f", accent, name, s.Text, surface, got)
						}
					}
					if got := Ratio(s.Text, s.Soft); got < 3 {
						t.Fatalf("%s on %s: lines of %s on %s have %.2f", accent, name, s.Text, s.Soft, got)
					}
				}
			}
		}
	}
}

func TestAccentMustBeAColor(t *testing.T) {
	t.Parallel()
	for _, accent := range []string{"", "red", "#fff", "#0f6b5", "#0f6b5cc", "0f6b5c", "#0f6b5g", "#0f6b5c;x", "# f6b5c", "#+f6b5c", "#0_6b5c"} {
		if _, _, err := For(accent); err == nil {
			t.Errorf("%q is taken for a color", accent)
		}
	}
}

// TestVectors compares the shades with those that the clock is held to.
func TestVectors(t *testing.T) {
	t.Parallel()
	const file = "testdata/vectors.json"
	var got []vector
	for _, accent := range []string{"#0f6b5c", "#000000", "#ffffff", "#ffcc00", "#ff0000", "#00ff00", "#0000ff", "#777777", "#808080",
		"#1da1f2", "#e91e63", "#f6f6f3", "#121417", "#123456", "#fedcba"} {
		onLight, onDark, err := For(accent)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, vector{accent, onLight, onDark})
	}
	if *update {
		body, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(file, append(body, '\n'), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want []vector
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the shades are %+v, want %+v; run the test with -update if that is meant", got, want)
	}
}
