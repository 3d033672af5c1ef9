package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sessiongate/sessiongate/backend/store"
)

const (
	// maxChange is the largest length of a value in the audit log, in JSON.
	maxChange = 2000
	// maxChanges is the largest length of all changes of an entry.
	maxChanges = 16 << 10
	// cutMark is at the end of values that are not whole.
	cutMark = "…"
)

// Change is a field that a request changed, such as site.max_sessions, with its values
// before and after. A value that is too long is the beginning of its JSON, as a string, and
// ends in "…".
type Change struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// changesOf lists the fields that differ between two versions of a provider, in the order
// of their names. A provider has no secret.
func changesOf(before, after store.Provider) []Change {
	was, is := fieldsOf(before), fieldsOf(after)
	var list []Change
	for _, field := range slices.Sorted(maps.Keys(is)) {
		if !bytes.Equal(was[field], is[field]) {
			list = append(list, Change{field, was[field], is[field]})
		}
	}
	return list
}

// fieldsOf returns the fields of a provider that requests change, in JSON.
func fieldsOf(p store.Provider) map[string]json.RawMessage {
	fields := make(map[string]json.RawMessage)
	put := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte("null")
		}
		fields[name] = text
	}
	put("name", p.Name)
	put("domains", append([]string{}, p.Domains...))
	put("origin_url", p.OriginURL)
	put("app_url", p.AppURL)
	policies := reflect.ValueOf(p.Policies)
	for field, value := range policies.Fields() {
		put("policies."+jsonName(field), value.Interface())
	}
	site := reflect.ValueOf(FullSite(p))
	for field, value := range site.Fields() {
		if value.Kind() != reflect.Pointer {
			put("site."+jsonName(field), value.Interface())
			continue
		}
		for inner, value := range value.Elem().Fields() {
			put("site."+jsonName(field)+"."+jsonName(inner), value.Interface())
		}
	}
	return fields
}

// jsonName is the name of a field in JSON.
func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// auditText returns changes as the audit log keeps them.
func auditText(changes []Change) (string, error) {
	if len(changes) == 0 {
		return "", nil
	}
	left := maxChanges
	kept := make([]Change, len(changes))
	for i, c := range changes {
		kept[i] = Change{c.Field, shortened(c.Before, min(left, maxChange)), shortened(c.After, min(left, maxChange))}
		left = max(0, left-len(kept[i].Before)-len(kept[i].After))
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "", fmt.Errorf("writing audit log: %w", err)
	}
	return string(text), nil
}

// shortened returns a value, or the beginning of its JSON if that has more bytes than most.
func shortened(value json.RawMessage, most int) json.RawMessage {
	if len(value) <= most {
		return value
	}
	begin := value[:most/2] // as a string, each quotation mark takes two bytes
	for len(begin) > 0 && !utf8.Valid(begin) {
		begin = begin[:len(begin)-1]
	}
	text, err := json.Marshal(string(begin) + cutMark)
	if err != nil { // a string: cannot fail
		return json.RawMessage("null")
	}
	return text
}

// ReadChanges reads what an entry of the audit log says of changes.
func ReadChanges(e store.AuditEntry) ([]Change, error) {
	if e.Changes == "" {
		return nil, nil
	}
	var list []Change
	if err := json.Unmarshal([]byte(e.Changes), &list); err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	return list, nil
}
