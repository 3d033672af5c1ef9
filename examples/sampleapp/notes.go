package sampleapp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Note is one sighting.
type Note struct {
	ID      int
	Title   string
	Habitat string
	Author  string
	Body    string
	At      time.Time
}

// Paragraphs is the body as pages show it.
func (n Note) Paragraphs() []string { return strings.Split(n.Body, "\n\n") }

// Lead is the first paragraph.
func (n Note) Lead() string { return n.Paragraphs()[0] }

var habitats = []string{"Reedbed", "Mudflat", "Creek", "Sea wall", "Grazing marsh"}

// notesKept bounds the notebook; the oldest note gives way.
const notesKept = 200

type notebook struct {
	mu    sync.Mutex // guards list and next
	list  []Note     // newest first
	next  int
	limit int
}

// newNotebook begins with a week of notes.
func newNotebook(now time.Time) *notebook {
	b := &notebook{next: 1, limit: notesKept}
	for _, s := range seeds {
		n := s.note
		n.At = now.Add(-s.ago)
		b.add(n)
	}
	return b
}

func (b *notebook) add(n Note) Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	n.ID = b.next
	b.next++
	b.list = slices.Insert(b.list, 0, n)
	if len(b.list) > b.limit {
		b.list = b.list[:b.limit]
	}
	return n
}

func (b *notebook) find(id int) (Note, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.list, func(n Note) bool { return n.ID == id })
	if i < 0 {
		return Note{}, false
	}
	return b.list[i], true
}

// latest returns up to n notes of a habitat ("" for all).
func (b *notebook) latest(n int, habitat string) []Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Note
	for _, note := range b.list {
		if (habitat == "" || note.Habitat == habitat) && len(out) < n {
			out = append(out, note)
		}
	}
	return out
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	a.page(w, r, http.StatusOK, "home", view{Title: "Today", Section: "/", Data: struct {
		Notes   []Note
		Weather Weather
	}{a.notes.latest(3, ""), weatherAt(a.config.Now())}})
}

func (a *app) listNotes(w http.ResponseWriter, r *http.Request) {
	habitat := r.URL.Query().Get("habitat")
	if !slices.Contains(habitats, habitat) {
		habitat = ""
	}
	a.page(w, r, http.StatusOK, "notes", view{Title: "Notes", Section: "/notes", Data: struct {
		Notes    []Note
		Habitats []string
		Habitat  string
	}{a.notes.latest(notesKept, habitat), habitats, habitat}})
}

// showNote answers under a policy as strict as they come, with one inline
// script that carries the nonce.
func (a *app) showNote(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	note, ok := a.notes.find(id)
	if err != nil || !ok {
		a.notFound(w, r)
		return
	}
	nonce := newNonce()
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"' 'strict-dynamic'; "+
		"style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	a.page(w, r, http.StatusOK, "note", view{Title: note.Title, Section: "/notes", Nonce: nonce, Data: struct {
		Note
		Saved bool
	}{note, r.URL.Query().Get("saved") == "1"}})
}

// draft is the form, as it was filled in.
type draft struct {
	Title, Habitat, Author, Body string
	Habitats                     []string
	Errors                       map[string]string
}

func (a *app) newNote(w http.ResponseWriter, r *http.Request) {
	a.page(w, r, http.StatusOK, "new", view{Title: "New note", Section: "/notes/new", Data: draft{Habitats: habitats}})
}

func (a *app) postNote(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "That note is too long to send.", http.StatusRequestEntityTooLarge)
		return
	}
	field := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get(name), "\r\n", "\n"))
	}
	d := draft{
		Title: field("title"), Habitat: field("habitat"), Author: field("author"), Body: field("body"),
		Habitats: habitats, Errors: map[string]string{},
	}
	if d.Title == "" || len(d.Title) > 120 {
		d.Errors["title"] = "Give it a title of up to 120 letters."
	}
	if !slices.Contains(habitats, d.Habitat) {
		d.Errors["habitat"] = "Choose where you were."
	}
	if d.Body == "" || len(d.Body) > 5000 {
		d.Errors["body"] = "Write what you saw, in up to 5,000 letters."
	}
	if len(d.Errors) > 0 {
		a.page(w, r, http.StatusUnprocessableEntity, "new", view{Title: "New note", Section: "/notes/new", Data: d})
		return
	}
	if d.Author == "" || len(d.Author) > 60 {
		d.Author = "A visitor"
	}
	n := a.notes.add(Note{Title: d.Title, Habitat: d.Habitat, Author: d.Author, Body: d.Body, At: a.config.Now()})
	http.Redirect(w, r, "/notes/"+strconv.Itoa(n.ID)+"?saved=1", http.StatusSeeOther)
}

type seed struct {
	ago  time.Duration
	note Note
}

// seeds are oldest first.
var seeds = []seed{
	{6 * 24 * time.Hour, Note{
		Title: "The sluice sticks again at half tide", Habitat: "Sea wall", Author: "Ines Calder",
		Body: "The lower gate hung open for twenty minutes after the float should have closed it. Silt on the sill, as in March.\n\n" +
			"Rodded it clear from the downstream side. Someone should look at the counterweight before the springs on Thursday.",
	}},
	{5*24*time.Hour + 3*time.Hour, Note{
		Title: "Fourteen spoonbills on the scrape", Habitat: "Grazing marsh", Author: "Tom Averill",
		Body: "In off the estuary at first light, feeding in a line across the shallow end. Three are this year's young: black wing tips, no crest.\n\n" +
			"They stayed until a marsh harrier came over at ten and then went back to the outer creek together.",
	}},
	{4 * 24 * time.Hour, Note{
		Title: "Glasswort has reached the second groyne", Habitat: "Mudflat", Author: "Ines Calder",
		Body: "A first thin stand of it, forty paces out from last autumn's edge. The mud there is firm enough to kneel on.\n\n" +
			"Photographed the four fixed points. If it holds over the winter this is the fastest year since the breach.",
	}},
	{2*24*time.Hour + 5*time.Hour, Note{
		Title: "Bearded tits feeding in the cut strip", Habitat: "Reedbed", Author: "Wren Okafor",
		Body: "At least nine, low in the fresh growth where we cut in January. They ignore the uncut block beside it entirely.\n\n" +
			"Argues for cutting in strips again rather than clearing the north block in one go.",
	}},
	{26 * time.Hour, Note{
		Title: "Otter spraint under the footbridge", Habitat: "Creek", Author: "Tom Averill",
		Body: "Fresh this morning, on the flat stone by the second pile. Fish scale and a good deal of crab.\n\n" +
			"The camera has been moved to the north bank, facing the stone. Card is empty, battery at four bars.",
	}},
	{3 * time.Hour, Note{
		Title: "First short-eared owl of the autumn", Habitat: "Sea wall", Author: "Wren Okafor",
		Body: "Quartering the inside of the wall at dusk, pale and unhurried, putting up pipits as it went.\n\n" +
			"It dropped twice near the old decoy and came up with nothing. No second bird that I could find.",
	}},
}
