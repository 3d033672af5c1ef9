package quadrille

import (
	"fmt"
	"strings"
)

// Puzzle is a picture on squared paper, to be found from the lengths of its
// runs of filled squares.
type Puzzle struct {
	ID    string
	Title string // of the picture; not shown before it is found
	// How hard it is, from 1.
	Stars int
	// One string for each row; # is filled.
	Picture []string
}

// Size is the number of squares along an edge.
func (p Puzzle) Size() int { return len(p.Picture) }

// Rows are the clues of each row: the lengths of its runs, or a single 0.
func (p Puzzle) Rows() [][]int {
	list := make([][]int, p.Size())
	for i, row := range p.Picture {
		list[i] = runs(row)
	}
	return list
}

// Columns are the clues of each column.
func (p Puzzle) Columns() [][]int {
	list := make([][]int, p.Size())
	for i := range list {
		var column strings.Builder
		for _, row := range p.Picture {
			column.WriteByte(row[i])
		}
		list[i] = runs(column.String())
	}
	return list
}

// runs are the lengths of a line's filled stretches.
func runs(line string) []int {
	var list []int
	for run := range strings.FieldsSeq(strings.ReplaceAll(line, ".", " ")) {
		list = append(list, len(run))
	}
	if list == nil {
		return []int{0}
	}
	return list
}

// cells is the picture as a page sends it: a 1 for each filled square, row by
// row.
func (p Puzzle) cells() string {
	return strings.NewReplacer("#", "1", ".", "0").Replace(strings.Join(p.Picture, ""))
}

// Mistake is what a page has wrong.
type Mistake struct {
	Row    int  `json:"row"`
	Column int  `json:"column"`
	Filled bool `json:"filled"` // what is right there
}

// Compare finds what is wrong in cells: how many squares, and the first of them
// from the square numbered from on. Squares are 1 (filled) or anything else.
func (p Puzzle) Compare(cells string, from int) (wrong int, first Mistake, err error) {
	want := p.cells()
	if len(cells) != len(want) {
		return 0, Mistake{}, fmt.Errorf("a drawing of %d squares for a puzzle of %d", len(cells), len(want))
	}
	for i := range want {
		at := (from%len(want) + i) % len(want)
		if (cells[at] == '1') == (want[at] == '1') {
			continue
		}
		if wrong == 0 {
			first = Mistake{Row: at / p.Size(), Column: at % p.Size(), Filled: want[at] == '1'}
		}
		wrong++
	}
	return wrong, first, nil
}

// Puzzles are all there are, the easy ones first. Each has one solution, which
// can be found line by line without guessing.
var Puzzles = []Puzzle{
	{"1", "A boat under sail", 1, []string{
		"....#.....",
		"....##....",
		"....###...",
		"....####..",
		"....#####.",
		"....#.....",
		"##########",
		".########.",
		"..######..",
		"..........",
	}},
	{"2", "A heart", 1, []string{
		".##....##.",
		"####..####",
		"##########",
		"##########",
		"##########",
		".########.",
		"..######..",
		"...####...",
		"....##....",
		"..........",
	}},
	{"3", "A cup of tea", 1, []string{
		"..#..#....",
		"...#..#...",
		"..#..#....",
		"..........",
		"########..",
		"##########",
		"########.#",
		"##########",
		".######...",
		"##########",
	}},
	{"4", "A house in winter", 2, []string{
		"......##..",
		"....#.##..",
		"...######.",
		"..########",
		".#########",
		"..######..",
		"..#.##.#..",
		"..######..",
		"..##..##..",
		"####..####",
	}},
	{"5", "A cat", 2, []string{
		"#...#.....",
		"##.##.....",
		"#####....#",
		"#.#.#....#",
		"#####....#",
		".###....##",
		"..######.#",
		"..######..",
		"..######..",
		"..##..##..",
	}},
	{"6", "A key", 2, []string{
		"..####....",
		".##..##...",
		".#....#...",
		".##..##...",
		"..####....",
		"...##.....",
		"...##.....",
		"...####...",
		"...##.....",
		"...####...",
	}},
	{"7", "An umbrella", 3, []string{
		".......#.......",
		".....#####.....",
		"...#########...",
		"..###########..",
		".#############.",
		".#############.",
		"###############",
		"#..#..###..#..#",
		".......#.......",
		".......#.......",
		".......#.......",
		".......#.......",
		".......#..#....",
		".......#..#....",
		"........##.....",
	}},
	{"8", "A lighthouse", 3, []string{
		"......###......",
		".....#####.....",
		"##.........##..",
		".####.###.#####",
		".....#####.....",
		".####.###.#####",
		"...#########...",
		".....#####.....",
		".....#...#.....",
		".....#####.....",
		"....#######....",
		"....##...##....",
		"....#######....",
		"..###########..",
		"###############",
	}},
}

// Find returns the puzzle with this id.
func Find(id string) (Puzzle, bool) {
	for _, p := range Puzzles {
		if p.ID == id {
			return p, true
		}
	}
	return Puzzle{}, false
}
