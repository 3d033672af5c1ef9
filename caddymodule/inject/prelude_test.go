package inject

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestPrelude(t *testing.T) {
	t.Parallel()
	// '|' marks the place; a row without it is refused for the reason.
	for _, row := range []struct {
		doc    string
		reason Reason
	}{
		{doc: "<!doctype html><html><head>|<title>"},
		{doc: "<!DOCTYPE HTML>\n<HTML LANG=en>\r\n\t\f<HEAD>|\n"},
		{doc: "\xef\xbb\xbf<!doctype html><head>|x"},
		{doc: "\xef\xbb\xbf  |<p>"},
		{doc: "<!-- a > b --><!doctype html><!-- <head> --><html><!-- x --><head>|"},
		{doc: "<!--><html>|<body>"},
		{doc: "<!---><html>|<body>"},
		{doc: "<!----><html>|<body>"},
		{doc: "<!--a--!><html>|<body>"},
		{doc: "<!--a--!x-->|<body>"},
		{doc: "<!--a--->|<body>"},
		{doc: "<!-- <!-- -->|<body> -->"},
		{doc: "<?xml version='1.0'?><!doctype html><html>|<body>"},
		{doc: "<![CDATA[x]>|<body>"},
		{doc: "<!x>|<body>"},
		{doc: "<!>|<body>"},
		{doc: "<!doctype html PUBLIC \"a>|b\">"},
		{doc: "<html data-a='>' data-b=\">\" c=d/><head>|"},
		{doc: "<html =\"><head>|\">"},
		{doc: "<html a\"b>|<body>"},
		{doc: "<html a = '>'/ b=/'>|<body>"},
		{doc: "<html a=b'>|'><head>"},
		{doc: "<html a=><head>|"},
		{doc: "<head/>|"},
		{doc: "<head\n>|"},
		{doc: "|<header>"},
		{doc: "|<htmlx>"},
		{doc: "<html>|<html lang=en><head>"},
		{doc: "<html><!doctype html><head>|"},
		{doc: "<html>|</head>"},
		{doc: "|</html>"},
		{doc: "</ x><html>|<body>"},
		{doc: "</><html>|<body>"},
		{doc: "</", reason: ReasonUndecided},
		{doc: "|<p>fragment"},
		{doc: "|<3"},
		{doc: "<!doctype html> |text"},
		{doc: "<!doctype html>|"},
		{doc: "<html>  |"},
		{doc: "<html>|<frameset>"},
		{doc: "", reason: ReasonEmpty},
		{doc: " \n\t", reason: ReasonEmpty},
		{doc: "\xef\xbb\xbf", reason: ReasonEmpty},
		{doc: "|\xef\xbb"},
		{doc: "|text <p>"},
		{doc: "|Notice: Undefined variable\n<!doctype html><html><head>"},
		{doc: " \n|Notice: Undefined variable\n<!doctype html><html><head>"},
		{doc: "<!-- x -->|Notice<!doctype html><html><head>"},
		{doc: "\xef\xbb\xbf|\xef\xbb\xbf<!doctype html><html><head>"},
		{doc: "|\xc2\xa0<!doctype html><html><head>"},
		{doc: "\x1f\x8b\x08", reason: ReasonBinary},
		{doc: "[1]", reason: ReasonNotMarkup},
		{doc: "{\"a\":\"<p>\"}", reason: ReasonNotMarkup},
		{doc: "\xfe\xff\x00<", reason: ReasonCharset},
		{doc: "\xff\xfe<\x00", reason: ReasonCharset},
		{doc: "<\x00!\x00", reason: ReasonBinary},
		{doc: "\x00<\x00!", reason: ReasonBinary},
		{doc: "<!-- \x00 --><html><head>", reason: ReasonBinary},
		{doc: "<html \x00><head>", reason: ReasonBinary},
		{doc: "<!-- never closed", reason: ReasonUndecided},
		{doc: "<html lang='en><head>", reason: ReasonUndecided},
		{doc: "<!doctype html", reason: ReasonUndecided},
		{doc: "<", reason: ReasonUndecided},
		{doc: "<!", reason: ReasonUndecided},
		{doc: "<!-", reason: ReasonUndecided},
		{doc: "<!doc", reason: ReasonUndecided},
		{doc: "<hea", reason: ReasonUndecided},
		{doc: "<html", reason: ReasonUndecided},
	} {
		t.Run(row.doc, func(t *testing.T) {
			t.Parallel()
			before, after, found := strings.Cut(row.doc, "|")
			doc := []byte(before + after)
			for _, bytewise := range []bool{false, true} {
				s, result := scanAll(doc, bytewise)
				if !found {
					if result != scanRefuse || s.reason != row.reason {
						t.Errorf("bytewise %v: result %d at %d, reason %q, want %q", bytewise, result, s.pos, s.reason, row.reason)
					}
					continue
				}
				if result != scanInsert || s.pos != len(before) {
					t.Errorf("bytewise %v: result %d at %d (%s), want %d", bytewise, result, s.pos, s.reason, len(before))
				}
			}
		})
	}
}

// scanAll scans a document at once or as it grows byte by byte.
func scanAll(doc []byte, bytewise bool) (s prelude, result scanResult) {
	if bytewise {
		for n := range doc {
			if result = s.scan(doc[:n], false); result != scanMore {
				return s, result
			}
		}
	}
	result = s.scan(doc, true)
	return s, result
}

func FuzzPrelude(f *testing.F) {
	for _, doc := range trickyDocuments {
		f.Add([]byte(doc))
	}
	f.Add([]byte("<html a = '>'/ b=/'><head =\">"))
	f.Add([]byte("</ x></>"))
	f.Add([]byte("<!--a--!x--><?xml?><!doctype html>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		s, result := scanAll(doc, false)
		grown, grownResult := scanAll(doc, true)
		if result == scanMore || grownResult != result || grown.pos != s.pos && result == scanInsert {
			t.Fatalf("at once %d at %d, byte by byte %d at %d", result, s.pos, grownResult, grown.pos)
		}
		if result != scanInsert {
			return
		}
		// An independent tokenizer must see nothing but prelude before the place.
		before := strings.TrimPrefix(string(doc[:s.pos]), "\xef\xbb\xbf")
		z := html.NewTokenizer(strings.NewReader(before))
		seen := 0
		for z.Next() != html.ErrorToken {
			raw := len(z.Raw())
			tok := z.Token()
			seen += raw
			switch {
			case tok.Type == html.CommentToken, tok.Type == html.DoctypeToken:
			case tok.Type == html.TextToken && strings.Trim(tok.Data, " \n\t\r\f") == "":
			case (tok.Type == html.StartTagToken || tok.Type == html.SelfClosingTagToken) && tok.Data == "html":
			case (tok.Type == html.StartTagToken || tok.Type == html.SelfClosingTagToken) && tok.Data == "head":
				if seen != len(before) {
					t.Fatalf("head ends at %d, place is %d", seen, len(before))
				}
			default:
				t.Fatalf("%v before the place", tok)
			}
		}
		if seen != len(before) {
			t.Fatalf("the place is inside a token: %d of %d", seen, len(before))
		}
	})
}

// Any page, in any pieces, comes out with the tag at its place or as it was.
func FuzzIdentity(f *testing.F) {
	for n, doc := range trickyDocuments {
		f.Add([]byte(doc), uint64(n), n%3 == 0)
	}
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64, silent bool) {
		if len(doc) > maxHold {
			return // what is found then depends on the pieces
		}
		rng := newRand(seed)
		pieces := []int{1, 50, 1000, 100_000}[seed%4]
		r := navigate()
		if silent {
			r.Header = http.Header{}
		}
		rec, outcome, err := pass(t, New(testConfig()), r, answer{
			header: htmlHeader("Content-Length", strconv.Itoa(len(doc))), body: doc,
			piece: func() int { return 1 + rng.IntN(pieces) }, flush: seed%5 == 0,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := string(doc)
		if outcome.Injected() {
			s, _ := scanAll(doc, false)
			want = want[:s.pos] + testTag + want[s.pos:]
			if rec.Header().Get("Content-Length") != strconv.Itoa(len(want)) {
				t.Fatalf("Content-Length %s, body %d", rec.Header().Get("Content-Length"), len(want))
			}
		}
		if rec.Body.String() != want {
			t.Fatalf("%v: got %.300q, want %.300q", outcome, rec.Body, want)
		}
	})
}
