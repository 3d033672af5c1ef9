package inject

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// trickyDocuments have something at their start that a careless insertion breaks.
var trickyDocuments = []string{
	"<!doctype html><html><head><title>plain</title></head><body><p>x",
	"<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\"><html xmlns='http://www.w3.org/1999/xhtml'><head profile='a>b'><title>almost standards</title>",
	"<html><head><title>quirks</title></head><body><table><p>fostered</table>",
	"<title>no html, no head</title><p>x",
	"<!doctype html><title>implied</title><body class=a><p>x</body>",
	"<!doctype html><body><p>no head",
	"<!doctype html>text right away",
	"<!doctype html><html lang=en><meta charset=utf-8><link rel=x>",
	"<!doctype html><html lang=en class='a \"b\" > c'><head data-x=\"<body>\"><style>p{}</style>",
	"<!-- one --><!doctype html><!-- two --><html><!-- three --><head><!-- four --><title>comments</title>",
	"<?xml version=\"1.0\"?><!doctype html><html><head></head><body>xml",
	"<!doctype html>\n\n<html>\n<head>\n<title>space</title>\n</head>\n<body>\n</body>\n</html>\n",
	"<!doctype html><html><head></head><frameset cols='1,2'><frame src=a><frame src=b></frameset></html>",
	"<!doctype html><html><frameset><frame></frameset>",
	"<!doctype html><head><noscript><link rel=y></noscript></head><body>",
	"<!doctype html><html><head><base href='https://other.example/'><script>document.title</script></head>",
	"<!doctype html><p>a<svg><title>t</title></svg><template><tr></template>",
	"<!doctype html><html a=1 a=2 b='\"' c=\"'\"><head>",
	"<HTML><HEAD/><TITLE>self-closing</TITLE>",
	"<!doctype html>\r\n<html\r\nlang='de'\r\n>\r\n<head\r\n>\r\n<meta name=a>",
	"\xef\xbb\xbf<!doctype html><html><head><title>mark</title>",
	"<!doctype html><html><head>" + strings.Repeat("<meta name=a content=b>", 500) + "<body>" + strings.Repeat("<p>long</p>\n", 5000),
}

func TestDOMEquality(t *testing.T) {
	t.Parallel()
	for _, doc := range trickyDocuments {
		for _, way := range []struct {
			name    string
			cfg     Config
			encoded bool
		}{
			{"identity", testConfig(), false},
			{"prefix", testConfig(), true},
			{"exact", Config{Src: testSrc, Exact: true}, true},
		} {
			t.Run(way.name+"/"+doc[:min(len(doc), 60)], func(t *testing.T) {
				t.Parallel()
				a := answer{header: htmlHeader(), body: []byte(doc)}
				if way.encoded {
					a.header["Content-Encoding"] = "gzip"
					a.body = gzipped(t, 6, a.body)
				}
				rec, outcome, err := pass(t, New(way.cfg), navigate(), a)
				if err != nil || !outcome.Injected() {
					t.Fatalf("outcome %v, error %v", outcome, err)
				}
				body := rec.Body.Bytes()
				if way.encoded {
					if body, err = gunzipped(body); err != nil {
						t.Fatal(err)
					}
				}
				// The tags of a page that is not encoded again move white space and
				// comments between <html> and <head> into the head.
				loose := outcome.Mode == ModePrefix
				got, tags := tree(t, body, loose)
				want, _ := tree(t, []byte(doc), loose)
				if tags != 1 {
					t.Errorf("%d tags", tags)
				}
				if got != want {
					t.Errorf("tree differs:\n got %.300q\nwant %.300q", got, want)
				}
			})
		}
	}
}

// tree parses a document, removes our script, and returns what is left and how
// many tags were removed. A loose tree has no comments, and no white space in
// <html> and <head>.
func tree(t *testing.T, doc []byte, loose bool) (string, int) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))))
	if err != nil {
		t.Fatal(err)
	}
	tags := 0
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; {
			next := c.NextSibling
			ours := c.Type == html.ElementNode && c.Data == "script" && len(c.Attr) > 0 && c.Attr[0].Val == testSrc
			space := c.Type == html.TextNode && strings.TrimSpace(c.Data) == "" && (n.Data == "html" || n.Data == "head")
			if ours {
				tags++
			}
			if ours || loose && (c.Type == html.CommentNode || space) {
				n.RemoveChild(c)
			} else {
				walk(c)
			}
			c = next
		}
	}
	walk(root)
	var b strings.Builder
	if err := html.Render(&b, root); err != nil {
		t.Fatal(err)
	}
	return b.String(), tags
}
