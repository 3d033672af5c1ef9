package seal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func Example() {
	c, err := New(NewKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed := c.SealText("whsec_abc", "wh_1")
	text, err := c.OpenText(sealed, "wh_1")
	fmt.Println(strings.Contains(sealed, "whsec"), text, err)
	// Output: false whsec_abc <nil>
}

func TestSealedForOneKeyAndPurpose(t *testing.T) {
	t.Parallel()
	c, err := New(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed := c.SealText("secret", "a")
	for name, open := range map[string]func() (string, error){
		"another key":     func() (string, error) { return other.OpenText(sealed, "a") },
		"no key":          func() (string, error) { return Cipher{}.OpenText(sealed, "a") },
		"another purpose": func() (string, error) { return c.OpenText(sealed, "b") },
		"damaged":         func() (string, error) { return c.OpenText(sealed[:len(sealed)-8], "a") },
		"not base64":      func() (string, error) { return c.OpenText(textPrefix+"?", "a") },
	} {
		if text, err := open(); !errors.Is(err, ErrSealed) || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := c.OpenText("never sealed", "a"); err != nil || text != "never sealed" {
		t.Errorf("%q, %v", text, err)
	}
	if got := (Cipher{}).SealText("plain", "a"); got != "plain" {
		t.Errorf("sealed without a key: %q", got)
	}
	for _, key := range []string{"short", "c2hvcnQ=", strings.Repeat("A", 100)} {
		if _, err := New(key); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// TestStoredTextStillOpens opens what an earlier version wrote.
func TestStoredTextStillOpens(t *testing.T) {
	t.Parallel()
	c, err := New("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.OpenText("sealed:v1:Uy5HcU/clt3yiSYXBEbOf+J74b71gtDo2kKw6XQ6j/3LuoP+K5xdbQ==", "wh_1")
	if err != nil || text != "whsec_vector" {
		t.Errorf("%q, %v", text, err)
	}
}
