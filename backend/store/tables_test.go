package store

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every table has a line in the documentation that says who grows it, what bounds it and
// how long its rows are kept. A migration that adds a table adds the line.
func TestTablesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Tables\n")
	if !found {
		t.Fatal("docs/operations.md has no section Tables")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(section, -1) {
		documented = append(documented, row[1])
	}
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.read.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		if !slices.Contains(documented, name) {
			t.Errorf("the section Tables of docs/operations.md has no line for the table %s: who grows it, what bounds it, how long rows are kept", name)
		}
	}
	for i, name := range documented {
		if !slices.Contains(tables, name) {
			t.Errorf("the section Tables of docs/operations.md has the table %s, which the schema has not", name)
		}
		if slices.Contains(documented[:i], name) {
			t.Errorf("the table %s has two lines", name)
		}
	}
}
