package inject

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"sync"
	"testing"
)

// sizeOf adds up what is remembered.
func (s *starts) sizeOf() (n int) {
	for i := range s.slots {
		if known := s.slots[i].Load(); known != nil {
			n += len(known.input) + len(known.decoded)
		}
	}
	return n
}

// A page that comes again and again gets the same answer each time, wherever its pieces
// begin: decoded, remembered, and from memory.
func TestRepeatedPageIsTheSame(t *testing.T) {
	t.Parallel()
	chance := newRand(7)
	for _, size := range []int{60, 700, 5_000, 80_000} {
		page := fmt.Appendf(nil, "%s<title>%d</title>", testHead, size)
		for len(page) < size {
			page = fmt.Appendf(page, "<p>%x", chance.Uint64())
		}
		packed := gzipped(t, 6, page)
		for range 5 {
			checkPrefixed(t, packed, page, nil, false)
			checkPrefixed(t, packed, page, func() int { return 1 + chance.IntN(300) }, false)
			checkPrefixed(t, packed, page, nil, true)
		}
	}
}

// Pages whose compressed bytes begin alike and differ later are told apart.
func TestSimilarStartsAreToldApart(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("<!-- a comment before the page, in one stored block -->"), 3)
	one := append(bytes.Clone(long), "<!doctype html><html><head><title>One</title>"...)
	two := append(bytes.Clone(long), "<html lang=fr><title>Two, without a <head>"...)
	two = append(two, bytes.Repeat([]byte(" "), len(one)-len(two))...)
	for range 4 {
		for page, prefix := range map[string]string{
			string(one): "<!doctype html><html><head>", string(two): "<html lang=fr>",
		} {
			rec, _, err := pass(t, New(testConfig()), navigate(), answer{header: htmlHeader("Content-Encoding", "gzip"), body: gzipped(t, 0, []byte(page))})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := gunzipped(rec.Body.Bytes()); err != nil || string(got) != prefix+testTag+page {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

// A short page after which a second member follows is refused also when its first member
// is known.
func TestKnownStartKeepsTheRulesForItsEnd(t *testing.T) {
	t.Parallel()
	page := []byte(testHead + "<title>Short, but long enough to be remembered</title></head><p>Some text, 0123456789 abcdefghijklmnopqrstuvwxyz")
	whole := gzipped(t, 0, page)
	for range 3 {
		checkPrefixed(t, whole, page, nil, false)
	}
	i := New(testConfig())
	i.verdicts.settle("origin", sound)
	two := append(bytes.Clone(whole), whole...)
	rec, out, err := pass(t, i, navigate(), answer{header: htmlHeader("Content-Encoding", "gzip"), body: two})
	if err != nil || out.Reason != ReasonMultiMember || !bytes.Equal(rec.Body.Bytes(), two) {
		t.Errorf("%v, %v", out, err)
	}
}

// Pages that never come again are not remembered, and however many do, memory is bounded.
func TestStartsAreBounded(t *testing.T) {
	t.Parallel()
	s := &starts{seed: maphash.MakeSeed()}
	input := func(i, n int) []byte { return append(fmt.Appendf(nil, "%0*d", startKey, i), make([]byte, n)...) }
	for i := range 50_000 {
		s.note(start{input: input(i, 100), decoded: []byte("page"), last: inflateFull})
	}
	if n := s.sizeOf(); n != 0 {
		t.Errorf("%d bytes of pages that came once", n)
	}
	for i := range 5_000 {
		for range 2 {
			s.note(start{input: input(i, startMost-startKey), decoded: make([]byte, maxPeek), last: inflateFull})
			s.note(start{input: input(i, startMost), last: inflateFull}) // too long
			s.note(start{input: input(i, 0)[1:], last: inflateFull})     // too short
			s.note(start{input: input(-i-1, 100), last: inflateInput})   // undecided
		}
	}
	if n := s.sizeOf(); n == 0 || n > startSlots*(startMost+maxPeek) {
		t.Errorf("%d bytes", n)
	}
	for i := range 5_000 {
		if s.find(input(-i-1, 200)) != nil || s.find(input(i, startMost-startKey-1)) != nil {
			t.Fatal("found what was not remembered")
		}
	}
}

// The memory is shared by all requests.
func TestStartsAtOnce(t *testing.T) {
	t.Parallel()
	var pages, packed [][]byte
	for i := range 8 {
		page := fmt.Appendf(nil, "%s<title>%d</title>%0500d", testHead, i, i)
		pages, packed = append(pages, page), append(packed, gzipped(t, 6, page))
	}
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := range 50 {
				k := (g + n) % len(pages)
				checkPrefixed(t, packed[k], pages[k], nil, false)
			}
		})
	}
	all.Wait()
}
