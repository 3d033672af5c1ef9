package api

import (
	"strings"
	"testing"
)

// What a spreadsheet would run is text, however its first sign is written.
func TestFormulasAreText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"=1+1":                  true,
		"+1":                    true,
		"-1":                    true,
		"@SUM(A1)":              true,
		"\uff1d1+1":             true, // full-width
		"\uff0b1":               true,
		"\uff0d1":               true,
		"\uff20SUM(A1)":         true,
		"\ufe661":               true, // small
		"\u22121":               true, // the minus sign
		" =1+1":                 true,
		"\t=1+1":                true,
		"\r\n=1+1":              true,
		"\u00a0\u3000 =1+1":     true,
		"\ufeff=1+1":            true,
		"\u200b\u200d\uff1d1+1": true,
		"\x01=1":                true,
		"\tplain":               true,
		"":                      false,
		"user_7":                false,
		"a=b":                   false,
		"1-2":                   false,
		"'=1":                   false,
		"  plain":               false,
		"\u00fcber":             false,
	} {
		if got := formula(text); got != want {
			t.Errorf("formula(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestTablesBeginWithAByteOrderMark(t *testing.T) {
	t.Parallel()
	body, err := table([]struct {
		Name string `json:"name"`
		N    int64  `json:"n,omitempty"`
	}{{" =1+1", -1}, {"plain, with \"quotes\"", 0}})
	if want := "\ufeffname,n\n' =1+1,-1\n\"plain, with \"\"quotes\"\"\",0\n"; err != nil || string(body) != want {
		t.Errorf("got %q, %v; want %q", body, err, want)
	}
	if strings.Count(string(body), "\ufeff") != 1 {
		t.Error("it has another byte order mark")
	}
}
