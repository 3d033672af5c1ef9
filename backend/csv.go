package backend

import (
	"fmt"
	"reflect"
	"strings"
)

// columns is the JSON names of a struct's fields.
func columns(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// cells is the values of a struct's fields: dates and figures of ours, which no
// spreadsheet takes for a formula.
func cells(row any, n int) []string {
	v := reflect.ValueOf(row)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(v.Field(i).Interface())
	}
	return list
}
