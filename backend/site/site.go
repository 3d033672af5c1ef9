// Package site holds the rules for site settings, which a provider decides about its own
// site: how they are merged, checked and brought into one form. It does no I/O.
package site

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// Values of options that have a name. The first of each list is the default.
var (
	injects    = []string{"on", "off"}
	cookies    = []string{"lax", "partitioned"}
	identities = []string{"headers", "jwt", "off"}
	positions  = []string{"bottom-right", "bottom-left", "top-right", "top-left"}
)

// DefaultAccent is the accent of a provider that has set none.
const DefaultAccent = "#0f6b5c"

// Error says which setting was refused, and why. Its text says what to do.
type Error struct {
	Field string // such as site.brand.logo_url
	Why   string
}

func (e *Error) Error() string { return e.Field + " " + e.Why }

func refuse(field, why string, args ...any) error {
	return &Error{"site." + field, fmt.Sprintf(why, args...)}
}

// merged are the settings whose fields are replaced one by one.
var merged = map[string]bool{"maintenance": true, "brand": true, "clock": true}

// Merge changes the settings that patch names. It is a JSON object like a [protocol.Site]:
// fields that it has replace those of current, and null resets a field to its default. The
// fields of maintenance, brand and clock are merged in the same way. A patch of null resets
// all settings. The result is not checked; see [Normalize].
func Merge(current protocol.Site, patch []byte) (protocol.Site, error) {
	var changes map[string]json.RawMessage
	if err := json.Unmarshal(patch, &changes); err != nil {
		return current, &Error{"site", "must be a JSON object"}
	}
	if changes == nil {
		return protocol.Site{}, nil
	}
	fields, err := fieldsOf(current)
	if err != nil {
		return current, err
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		value, known := changes[name], strings.ToLower(name)
		if isNull(value) {
			delete(fields, known)
			continue
		}
		if !merged[known] {
			fields[known] = value
			continue
		}
		var inner, of map[string]json.RawMessage
		if json.Unmarshal(value, &inner) != nil {
			return current, refuse(known, "must be a JSON object")
		}
		if fields[known] != nil {
			if err := json.Unmarshal(fields[known], &of); err != nil {
				return current, fmt.Errorf("reading site.%s: %w", known, err)
			}
		}
		if of == nil {
			of = make(map[string]json.RawMessage, len(inner))
		}
		for name, value := range inner {
			if name = strings.ToLower(name); isNull(value) {
				delete(of, name)
			} else {
				of[name] = value
			}
		}
		if fields[known], err = json.Marshal(of); err != nil {
			return current, fmt.Errorf("merging site.%s: %w", known, err)
		}
	}
	return decode(fields)
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }

// fieldsOf returns the settings that are not the default, by their names in JSON.
func fieldsOf(s protocol.Site) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("writing site: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("reading site: %w", err)
	}
	return fields, nil
}

func decode(fields map[string]json.RawMessage) (s protocol.Site, err error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return s, fmt.Errorf("writing site: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return s, refuse(e.Field, "must be of type %s", e.Type.Kind())
		}
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			return s, &Error{"site", "has no setting " + name + "; see the site settings in the API reference"}
		}
		return s, &Error{"site", "is not valid"}
	}
	return s, nil
}

// Normalize checks settings and returns them in the form in which they are kept and sent to
// edges: defaults are left out. hosts are the provider's own, which an open path may begin
// with. Normalizing the result returns the same.
func Normalize(s protocol.Site, hosts []string) (protocol.Site, error) {
	var err error
	if s.OpenPaths, err = openPaths(s.OpenPaths, hosts); err != nil {
		return s, err
	}
	for _, option := range []struct {
		name   string
		value  *string
		values []string
	}{{"inject", &s.Inject, injects}, {"cookie", &s.Cookie, cookies}, {"forward_identity", &s.ForwardIdentity, identities}} {
		if err := oneOf(option.name, option.value, option.values); err != nil {
			return s, err
		}
	}
	if s.UploadGraceSeconds < 0 || s.UploadGraceSeconds > protocol.MaxUploadGrace {
		return s, refuse("upload_grace_seconds", "must be from 0 to %d", protocol.MaxUploadGrace)
	}
	if s.MaxSessions < 0 || s.MaxSessions > protocol.MaxSiteSessions {
		return s, refuse("max_sessions", "must be from 0 to %d; 0 means no limit", protocol.MaxSiteSessions)
	}
	if s.Maintenance, err = maintenance(s.Maintenance); err != nil {
		return s, err
	}
	if s.Brand, err = brand(s.Brand); err != nil {
		return s, err
	}
	if s.Clock, err = clock(s.Clock); err != nil {
		return s, err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("writing site: %w", err)
	}
	if len(text) > protocol.MaxSite {
		return s, &Error{"site", fmt.Sprintf("has %d bytes in JSON; at most %d are allowed: use fewer or shorter paths and texts", len(text), protocol.MaxSite)}
	}
	return s, nil
}

// oneOf checks an option and sets it to "" if it is the default, the first of values.
func oneOf(name string, value *string, values []string) error {
	switch {
	case *value == "" || *value == values[0]:
		*value = ""
	case !slices.Contains(values, *value):
		return refuse(name, "must be %s or %s", strings.Join(values[:len(values)-1], ", "), values[len(values)-1])
	}
	return nil
}

func maintenance(m *protocol.Maintenance) (*protocol.Maintenance, error) {
	if m == nil {
		return nil, nil // not set
	}
	out := *m
	if err := text("maintenance.message", &out.Message); err != nil {
		return nil, err
	}
	if out.Until < 0 || out.Until > maxTime {
		return nil, refuse("maintenance.until", "must be a time in Unix seconds, or 0 if it is not known")
	}
	if out == (protocol.Maintenance{}) {
		return nil, nil // the default
	}
	return &out, nil
}

// maxTime is the end of the year 9999, the last that RFC 3339 can write.
const maxTime = 253402300799

func brand(b *protocol.Brand) (*protocol.Brand, error) {
	if b == nil {
		return nil, nil // not set
	}
	out := *b
	if err := text("brand.app_name", &out.AppName); err != nil {
		return nil, err
	}
	for _, link := range []struct {
		name  string
		value *string
	}{{"brand.shop_url", &out.ShopURL}, {"brand.support_url", &out.SupportURL}, {"brand.logo_url", &out.LogoURL}} {
		if err := webURL(link.name, link.value); err != nil {
			return nil, err
		}
	}
	accent, err := parseAccent(out.Accent)
	if err != nil {
		return nil, err
	}
	if out.Accent = accent; accent == DefaultAccent {
		out.Accent = ""
	}
	if out == (protocol.Brand{}) {
		return nil, nil // the default
	}
	return &out, nil
}

func clock(c *protocol.SiteClock) (*protocol.SiteClock, error) {
	if c == nil {
		return nil, nil // not set
	}
	out := *c
	if err := oneOf("clock.position", &out.Position, positions); err != nil {
		return nil, err
	}
	var err error
	if out.Texts, err = clockTexts(out.Texts); err != nil {
		return nil, err
	}
	if out.Position == "" && !out.Hidden && !out.Collapsed && len(out.Texts) == 0 {
		return nil, nil // the default
	}
	return &out, nil
}

// Full returns settings with all defaults written out, as the API shows them.
func Full(s protocol.Site) protocol.Site {
	if s.OpenPaths == nil {
		s.OpenPaths = []string{}
	}
	fill := func(value *string, fallback string) {
		if *value == "" {
			*value = fallback
		}
	}
	fill(&s.Inject, injects[0])
	fill(&s.Cookie, cookies[0])
	fill(&s.ForwardIdentity, identities[0])
	m, b, c := protocol.Maintenance{}, protocol.Brand{}, protocol.SiteClock{}
	if s.Maintenance != nil {
		m = *s.Maintenance
	}
	if s.Brand != nil {
		b = *s.Brand
	}
	if s.Clock != nil {
		c = *s.Clock
	}
	fill(&b.Accent, DefaultAccent)
	fill(&c.Position, positions[0])
	if c.Texts == nil {
		c.Texts = map[string]protocol.ClockTexts{}
	}
	s.Maintenance, s.Brand, s.Clock = &m, &b, &c
	return s
}

// Changes reports whether a change of settings, in JSON, may change a setting: it has its
// name, in any case as in [Merge], or is null, which resets all of them.
func Changes(change []byte, setting string) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(change, &fields) != nil {
		return false
	}
	for name := range fields {
		if strings.ToLower(name) == setting {
			return true
		}
	}
	return fields == nil
}
