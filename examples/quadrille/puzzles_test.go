package quadrille_test

import (
	"slices"
	"testing"

	"github.com/sessiongate/sessiongate/examples/quadrille"
)

// TestPuzzlesNeedNoGuessing solves each puzzle as a person does, line by line:
// what every way to place a line's runs has in common is certain.
func TestPuzzlesNeedNoGuessing(t *testing.T) {
	t.Parallel()
	for _, p := range quadrille.Puzzles {
		n := p.Size()
		rows, columns := p.Rows(), p.Columns()
		grid := make([][]byte, n) // '#', '.' or '?'
		for i := range grid {
			if len(p.Picture[i]) != n {
				t.Fatalf("%s: row %d has %d squares, want %d", p.ID, i+1, len(p.Picture[i]), n)
			}
			grid[i] = slices.Repeat([]byte{'?'}, n)
		}
		for moved := true; moved; {
			moved = false
			for i := range n {
				if certain(grid[i], rows[i]) {
					moved = true
				}
				column := make([]byte, n)
				for j := range n {
					column[j] = grid[j][i]
				}
				if certain(column, columns[i]) {
					moved = true
					for j := range n {
						grid[j][i] = column[j]
					}
				}
			}
		}
		for i := range n {
			if string(grid[i]) != p.Picture[i] {
				t.Errorf("%s (%s): row %d comes to %s, want %s", p.ID, p.Title, i+1, grid[i], p.Picture[i])
			}
		}
	}
}

// certain fills into line what all placements of runs agree on, and reports
// whether that was news.
func certain(line []byte, runs []int) bool {
	n := len(line)
	filled, empty := make([]bool, n), make([]bool, n)
	try := make([]byte, n)
	var place func(at, run int)
	place = func(at, run int) {
		if run == len(runs) || runs[0] == 0 {
			for i := at; i < n; i++ {
				if line[i] == '#' {
					return
				}
				try[i] = '.'
			}
			for i, c := range try {
				filled[i], empty[i] = filled[i] || c == '#', empty[i] || c == '.'
			}
			return
		}
		for start := at; start+runs[run] <= n; start++ {
			end, fits := start+runs[run], true
			for i := start; i < end; i++ {
				fits = fits && line[i] != '.'
				try[i] = '#'
			}
			if fits && (end == n || line[end] != '#') {
				next := end
				if end < n {
					try[end], next = '.', end+1
				}
				place(next, run+1)
			}
			if line[start] == '#' {
				return
			}
			try[start] = '.'
		}
	}
	place(0, 0)
	news := false
	for i := range line {
		if line[i] == '?' && filled[i] != empty[i] {
			line[i], news = '.', true
			if filled[i] {
				line[i] = '#'
			}
		}
	}
	return news
}

func TestCompare(t *testing.T) {
	t.Parallel()
	boat, ok := quadrille.Find("1")
	if !ok {
		t.Fatal("no puzzle 1")
	}
	right := ""
	for _, row := range boat.Picture {
		for _, c := range row {
			right += map[rune]string{'#': "1", '.': "0"}[c]
		}
	}
	for name, tt := range map[string]struct {
		cells string
		from  int
		wrong int
		first quadrille.Mistake
	}{
		"solved":        {right, 0, 0, quadrille.Mistake{}},
		"one too many":  {"1" + right[1:], 0, 1, quadrille.Mistake{}},
		"one missing":   {right[:4] + "0" + right[5:], 0, 1, quadrille.Mistake{Column: 4, Filled: true}},
		"from the next": {"1" + right[1:4] + "0" + right[5:], 1, 2, quadrille.Mistake{Column: 4, Filled: true}},
	} {
		wrong, first, err := boat.Compare(tt.cells, tt.from)
		if err != nil || wrong != tt.wrong || first != tt.first {
			t.Errorf("%s: got %d, %+v, %v; want %d, %+v", name, wrong, first, err, tt.wrong, tt.first)
		}
	}
	if _, _, err := boat.Compare("101", 0); err == nil {
		t.Error("a drawing of three squares is taken")
	}
}
