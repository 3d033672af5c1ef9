package caddymodule

import (
	"embed"
	"encoding/json"
	"fmt"

	"golang.org/x/text/language"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

//go:embed pages/texts/*.json
var textFiles embed.FS

// texts is what the gate's pages say in one language.
type texts struct {
	lang string

	Dir    string `json:"dir"` // ltr or rtl
	Back   string `json:"back"`
	Shop   string `json:"shop"`
	Retry  string `json:"retry"`
	Resume string `json:"resume"`
	Open   string `json:"open"`
	Stay   string `json:"stay"`
	// Links to the provider's shop and support.
	Buy     string `json:"buy"`
	Support string `json:"support"`
	// When a site that is closed is expected to open, with {left}.
	Expected string `json:"expected"`
	// The signs of days, hours and minutes.
	Units [3]string `json:"units"`
	// Title and text by code; "" for a code that has none of its own.
	Pages map[protocol.Code][2]string `json:"pages"`
}

// languages are those that pages are written in, the fallback first.
var languages = []string{"en", "de", "fr", "es", "pt", "ar"}

var (
	allTexts = loadTexts()
	english  = allTexts[0]
	matcher  = newMatcher()
)

func loadTexts() []*texts {
	all := make([]*texts, len(languages))
	for i, lang := range languages {
		body, err := textFiles.ReadFile("pages/texts/" + lang + ".json")
		if err == nil {
			all[i] = &texts{lang: lang}
			err = json.Unmarshal(body, all[i])
		}
		if err != nil { // an embedded file is damaged: no build of ours starts
			panic(fmt.Sprintf("caddymodule: reading the texts of %s: %v", lang, err))
		}
	}
	return all
}

func newMatcher() language.Matcher {
	tags := make([]language.Tag, len(languages))
	for i, lang := range languages {
		tags[i] = language.MustParse(lang)
	}
	return language.NewMatcher(tags)
}

// textsFor chooses the language of an Accept-Language header.
func textsFor(accept string) *texts {
	if accept == "" || len(accept) > 1000 {
		return english
	}
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(wanted) == 0 {
		return english
	}
	_, i, _ := matcher.Match(wanted...)
	return allTexts[i]
}

// textsOf returns the texts in one of our languages.
func textsOf(lang string) *texts {
	for i, known := range languages {
		if known == lang {
			return allTexts[i]
		}
	}
	return english
}

// page is the title and text for a code.
func (t *texts) page(code protocol.Code) (title, text string) {
	p, ok := t.Pages[code]
	if !ok {
		p = t.Pages[""]
	}
	return p[0], p[1]
}
