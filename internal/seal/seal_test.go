package seal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func Example() {
	box, err := NewBox(NewKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed := box.Seal("whsec_abc", "wh_1")
	text, err := box.Open(sealed, "wh_1")
	fmt.Println(strings.Contains(sealed, "whsec"), text, err)
	// Output: false whsec_abc <nil>
}

func TestSealedForOneKeyAndPurpose(t *testing.T) {
	t.Parallel()
	box, err := NewBox(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewBox(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal("secret", "a")
	for name, open := range map[string]func() (string, error){
		"another key":     func() (string, error) { return other.Open(sealed, "a") },
		"no key":          func() (string, error) { return Box{}.Open(sealed, "a") },
		"another purpose": func() (string, error) { return box.Open(sealed, "b") },
		"damaged":         func() (string, error) { return box.Open(sealed[:len(sealed)-8], "a") },
		"not base64":      func() (string, error) { return box.Open(prefix+"?", "a") },
	} {
		if text, err := open(); !errors.Is(err, ErrSealed) || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := box.Open("never sealed", "a"); err != nil || text != "never sealed" {
		t.Errorf("%q, %v", text, err)
	}
	if got := (Box{}).Seal("plain", "a"); got != "plain" {
		t.Errorf("sealed without a key: %q", got)
	}
	for _, key := range []string{"short", "c2hvcnQ=", strings.Repeat("A", 100)} {
		if _, err := NewBox(key); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
