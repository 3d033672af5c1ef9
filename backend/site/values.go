package site

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/sessiongate/sessiongate/internal/contrast"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func index(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

// hiddenRune reports whether a character has no place in plain text: control characters,
// and those that are not seen and change how other text is shown, such as the overrides of
// the writing direction. The joiners that some scripts need are allowed.
func hiddenRune(r rune) bool {
	switch r {
	case '\u200C', '\u200D': // zero-width non-joiner and joiner
		return false
	case '\u2028', '\u2029', utf8.RuneError:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// text checks plain text for people, and trims it.
func text(field string, value *string) error {
	if !utf8.ValidString(*value) {
		return refuse(field, "is not valid UTF-8")
	}
	*value = strings.TrimSpace(*value)
	if strings.ContainsFunc(*value, hiddenRune) {
		return refuse(field, "has a line break, a control character or one that is not seen, such as a change of the writing direction; write plain text on one line")
	}
	if n := utf8.RuneCountInString(*value); n > protocol.MaxSiteText {
		return refuse(field, "has %d characters; at most %d are allowed", n, protocol.MaxSiteText)
	}
	return nil
}

// webURL checks a link that pages show, and brings it into one form. It is https, or http
// on this machine.
func webURL(field string, value *string) error {
	raw := strings.TrimSpace(*value)
	if *value = raw; raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || !utf8.ValidString(raw) || u.Opaque != "" || u.Hostname() == "" || strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || hiddenRune(r) }) || strings.ContainsAny(raw, `\"<>`) {
		return refuse(field, "must be the https:// URL of a page, such as https://app.example.com/")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return refuse(field, "must begin with https://; http:// is for this machine alone")
	}
	if u.User != nil {
		return refuse(field, "must not contain a user name or password")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return refuse(field, "has a query that cannot be read; write it as name=value, joined by &")
	}
	for name := range query {
		if strings.EqualFold(name, protocol.LaunchParam) {
			return refuse(field, "must not have the query parameter %s, which carries launch tokens; use a URL that is the same for everybody", protocol.LaunchParam)
		}
	}
	if *value = u.String(); len(*value) > protocol.MaxSiteURL {
		return refuse(field, "is longer than %d bytes", protocol.MaxSiteURL)
	}
	return nil
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && a.IsLoopback()
}

// parseAccent returns an accent as #rrggbb in lower case. The pages of a site darken or
// lighten it for text, so that every color can be read; see [contrast.For].
func parseAccent(accent string) (string, error) {
	accent = strings.ToLower(strings.TrimSpace(accent))
	if accent == "" {
		return "", nil
	}
	if len(accent) == 4 && accent[0] == '#' {
		accent = string([]byte{'#', accent[1], accent[1], accent[2], accent[2], accent[3], accent[3]})
	}
	if _, _, err := contrast.For(accent); err != nil {
		return "", refuse("brand.accent", "must be a color such as #0f6b5c or #fa0")
	}
	return accent, nil
}

// clockTexts checks texts by language. Tags are brought into their usual form, such as
// pt-BR; texts of which none is set are left out.
func clockTexts(texts map[string]protocol.ClockTexts) (map[string]protocol.ClockTexts, error) {
	out := make(map[string]protocol.ClockTexts, len(texts))
	for _, written := range slices.Sorted(maps.Keys(texts)) {
		tag, err := parseLanguage(written)
		if err != nil {
			return nil, err
		}
		t := texts[written]
		if err := text("clock.texts."+tag+".warning", &t.Warning); err != nil {
			return nil, err
		}
		if err := text("clock.texts."+tag+".ended", &t.Ended); err != nil {
			return nil, err
		}
		if t == (protocol.ClockTexts{}) {
			continue
		}
		if _, twice := out[tag]; twice {
			return nil, refuse("clock.texts", "has the language %s twice", tag)
		}
		out[tag] = t
	}
	if len(out) > protocol.MaxLanguages {
		return nil, refuse("clock.texts", "has %d languages; at most %d are allowed", len(out), protocol.MaxLanguages)
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

// parseLanguage returns a BCP 47 language tag in its usual form.
func parseLanguage(written string) (string, error) {
	const why = "has a name that is no language; write a tag such as en, de or pt-BR"
	if len(written) > 35 { // the longest that RFC 5646, section 4.4.1 plans for
		return "", refuse("clock.texts", why)
	}
	tag, err := language.Raw.Parse(strings.ReplaceAll(strings.TrimSpace(written), "_", "-"))
	if err != nil || tag == language.Und {
		return "", refuse("clock.texts", why)
	}
	return tag.String(), nil
}
