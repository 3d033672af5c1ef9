package api

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const (
	csvType = "text/csv; charset=utf-8"
	// Without it, spreadsheets read the file in the code page of the reader's system.
	byteOrderMark = "\uFEFF"
)

type csvOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

// csvFile is a response that browsers save under a name.
func csvFile(name string, body []byte) *csvOutput {
	return &csvOutput{ContentType: csvType, Disposition: "attachment; filename=" + strconv.Quote(name), Body: body}
}

// answersCSV documents the CSV response of an operation.
func answersCSV(op *huma.Operation) {
	op.Responses["200"] = &huma.Response{Description: "One line for each row, after a byte order mark", Content: map[string]*huma.MediaType{
		csvType: {Schema: &huma.Schema{Type: huma.TypeString}},
	}}
}

// table returns rows as CSV, with the fields in JSON order.
func table[T any](rows []T) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteString(byteOrderMark)
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

// columns returns the JSON names of a struct's fields.
func columns(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	return names
}

// cells returns the values of a struct's fields. It puts an apostrophe before text that
// a spreadsheet could read as a formula, because marketplaces choose user ids and
// reasons.
func cells(row any, n int) []string {
	v := reflect.ValueOf(row)
	list := make([]string, n)
	for i := range list {
		field := v.Field(i)
		list[i] = fmt.Sprint(field.Interface())
		if field.Kind() == reflect.String && formula(list[i]) {
			list[i] = "'" + list[i]
		}
	}
	return list
}

// formulaSigns begin a formula, in ASCII and in the wide and small forms that
// spreadsheets of some languages read as the same.
const formulaSigns = "=+-@\uFF1D\uFF0B\uFF0D\uFF20\uFE66\uFE62\uFE63\uFE6B\u2212\u207A\u207B\u207C\u208A\u208B\u208C"

// formula reports whether a spreadsheet could read text as a formula. Spreadsheets
// ignore leading spaces and invisible characters.
func formula(text string) bool {
	if text == "" || strings.ContainsRune("\t\r\n", rune(text[0])) {
		return text != ""
	}
	visible := strings.TrimLeftFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError
	})
	first, _ := utf8.DecodeRuneInString(visible)
	return visible != "" && strings.ContainsRune(formulaSigns, first)
}
