package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

type csvOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// csvFile is an answer that browsers save under a name.
func csvFile(name string, body []byte) *csvOutput {
	return &csvOutput{ContentType: "text/csv", Disposition: "attachment; filename=" + strconv.Quote(name), Body: body}
}

// answersCSV documents an operation's answer.
func answersCSV(op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "One line for each row", Content: map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
}

// table is rows as CSV, the fields in their JSON order.
func table[T any](rows []T) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	t := typeOf[T]()
	if err := w.Write(columns(t)); err != nil {
		return nil, fmt.Errorf("writing CSV: %w", err)
	}
	for _, row := range rows {
		if err := w.Write(cells(row, t.NumField())); err != nil {
			return nil, fmt.Errorf("writing CSV: %w", err)
		}
	}
	w.Flush()
	return buf.Bytes(), w.Error()
}

// columns is the JSON names of a struct's fields.
func columns(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// cells is the values of a struct's fields. Text that a spreadsheet would take
// for a formula, as a marketplace may name a user, gets an apostrophe before it.
func cells(row any, n int) []string {
	v := reflect.ValueOf(row)
	list := make([]string, n)
	for i := range list {
		field := v.Field(i)
		list[i] = fmt.Sprint(field.Interface())
		if field.Kind() == reflect.String && list[i] != "" && strings.ContainsRune("=+-@\t\r", rune(list[i][0])) {
			list[i] = "'" + list[i]
		}
	}
	return list
}
