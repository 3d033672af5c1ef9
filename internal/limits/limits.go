// Package limits describes limits that an operator can set: their names, defaults and
// units. The session service and the edge each have a list.
package limits

import (
	"cmp"
	"fmt"
	"strings"
)

// Unlimited is the value of a limit that does not apply.
const Unlimited = -1

// Limit is one limit, as operators and the API see it.
type Limit struct {
	Name    string
	Value   int64 // in force
	Default int64
	Unit    string
	Of      string // what is limited

	field *int64
}

// At describes the limit whose value is in field. A zero there stands for the default.
func At(field *int64, name string, standard int64, unit, of string) Limit {
	return Limit{Name: name, Value: cmp.Or(*field, standard), Default: standard, Unit: unit, Of: of, field: field}
}

// Set changes the value in the limit's field.
func (l Limit) Set(value int64) { *l.field = value }

// List is all limits of a program, in the order of their documentation.
type List []Limit

// Named returns the limit with this name.
func (l List) Named(name string) (x Limit, ok bool) {
	for _, x := range l {
		if x.Name == name {
			return x, true
		}
	}
	return Limit{}, false
}

// Names lists the names, as in "reads, replays".
func (l List) Names() string {
	names := make([]string, len(l))
	for i, x := range l {
		names[i] = x.Name
	}
	return strings.Join(names, ", ")
}

// Fill writes the values in force, among them the defaults, to the limits' fields.
func (l List) Fill() {
	for _, x := range l {
		x.Set(x.Value)
	}
}

// Table returns the list as a table in Markdown, which the documentation has.
func (l List) Table() string {
	var text strings.Builder
	text.WriteString("| limit | default | unit | of |\n|---|---|---|---|\n")
	for _, x := range l {
		fmt.Fprintf(&text, "| `%s` | %d | %s | %s |\n", x.Name, x.Default, x.Unit, x.Of)
	}
	return text.String()
}
