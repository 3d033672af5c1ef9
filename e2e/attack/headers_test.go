package attack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// otherCharacters are those that HTTP allows in a header's name besides letters, digits
// and the hyphen.
const otherCharacters = "!#$%&'*+.^_`|~"

// forgedNames are the names of identity headers in every spelling that some server may
// read as one.
func forgedNames() (names []string) {
	for _, c := range "-" + otherCharacters {
		for _, d := range "-" + otherCharacters {
			if c == d || c == '-' || d == '-' {
				names = append(names, fmt.Sprintf("Session%cGate%cUser", c, d))
			}
		}
		names = append(names,
			fmt.Sprintf("session%[1]cgate%[1]csession", c), fmt.Sprintf("SESSION%[1]cGATE%[1]cPROVIDER", c), fmt.Sprintf("Session%[1]cGate%[1]cExpires", c),
			fmt.Sprintf("Session%[1]cGate%[1]cAssertion", c), fmt.Sprintf("Session%[1]cGate%[1]c", c), fmt.Sprintf("Session%[1]cGate%[1]cX%[1]cY", c))
	}
	return names
}

// TestOriginsWouldBelieveIt sends forged headers to the origins themselves: each believes
// some spelling, so that the tests after it say something.
func TestOriginsWouldBelieveIt(t *testing.T) {
	for _, o := range kit.Origins {
		var sent strings.Builder
		fmt.Fprintf(&sent, "GET %sbelieve HTTP/1.1\r\nHost: kit\r\nConnection: close\r\n", direct)
		for _, name := range forgedNames() {
			fmt.Fprintf(&sent, "%s: forged\r\n", name)
		}
		if _, err := harness.Exchange(o.Address, sent.String()+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if err := kit.Settle(); err != nil {
			t.Fatal(err)
		}
		records, err := kit.Records(o, direct+"believe")
		if err != nil || len(records) != 1 {
			t.Fatalf("%s: %d records, %v", o.Name, len(records), err)
		}
		records[0].Target = "/open/x"
		if wrong := kit.wrong(records[0]); len(wrong) == 0 {
			t.Errorf("%s takes nothing for an identity: %s", o.Name, records[0])
		}
		spellings := 0
		for _, v := range records[0].Vars {
			if strings.HasPrefix(folded(v[0]), "SESSION_GATE_USER") {
				spellings++
			}
		}
		t.Logf("%s tells its program of %d variables", o.Name, spellings)
	}
}

// TestNoForgedIdentity sends identity headers in every spelling, on gated and on open
// paths, with and without a session.
func TestNoForgedIdentity(t *testing.T) {
	type cell struct {
		host, path string
		session    bool
	}
	var cells []cell
	eachSite(func(_ *Origin, host string) {
		for _, session := range []bool{true, false} {
			for _, path := range []string{"/open/", "/paid/"} {
				cells = append(cells, cell{host, path + mark(session, "spelling"), session})
			}
		}
	})
	atOnce(cells, func(c cell) {
		names := forgedNames()
		for from := 0; from < len(names); from += 60 { // what fits into the servers' limits
			var sent strings.Builder
			fmt.Fprintf(&sent, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close, Session-Gate-User, session~gate~session\r\n%s", c.path, c.host, cookie(c.session))
			for i, name := range names[from:min(len(names), from+60)] {
				fmt.Fprintf(&sent, "%s: forged-%d\r\n", name, i)
			}
			answer := send(t, sent.String()+"\r\n")
			want := "200"
			if !c.session && strings.HasPrefix(c.path, "/paid/") {
				want = "401"
			}
			if status(answer) != want {
				t.Errorf("%s%s: %.300q, want %s", c.host, c.path, answer, want)
			}
		}
	})
	for _, o := range kit.Origins {
		records, err := kit.Records(o, "/paid/withsession-spelling")
		if err != nil || len(records) == 0 || records[0].Value("Session-Gate-User") != kit.User {
			t.Errorf("%s is not told whose session it is: %v, %v", o.Name, records, err)
		}
	}
	check(t)
}

// TestForgedTrailers sends identity and other fields that are no trailers after a body,
// announced and not.
func TestForgedTrailers(t *testing.T) {
	forged := []string{
		"Session-Gate-User", "session~gate~session", "Session_Gate_Provider", "Session-Gate-Assertion", "Session.Gate.User", "Cookie", "Authorization",
		"X-Forwarded-For", "Host", "Content-Type", "Sec-Fetch-Site", "Origin", "If-Match", "Range",
	}
	type cell struct {
		host     string
		session  bool
		announce int // none, all, or one that is ordinary
	}
	var cells []cell
	eachSite(func(_ *Origin, host string) {
		for _, session := range []bool{true, false} {
			for announce := range 3 {
				cells = append(cells, cell{host, session, announce})
			}
		}
	})
	atOnce(cells, func(c cell) {
		names := []string{"", "Trailer: " + strings.Join(forged, ", ") + ", X-Other\r\n", "Trailer: X-Other\r\n"}[c.announce]
		var sent strings.Builder
		fmt.Fprintf(&sent, "POST /open/%s HTTP/1.1\r\nHost: %s\r\nTE: trailers\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n%s%s\r\n4\r\nbody\r\n0\r\n", mark(c.session, "trailer"), c.host, names, cookie(c.session))
		for _, name := range forged {
			fmt.Fprintf(&sent, "%s: forged\r\n", name)
		}
		send(t, sent.String()+"X-Other: kept\r\n\r\n")
	})
	check(t)
	records, err := kit.Records(kit.origin("node"), "trailer")
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, r := range records {
		if r.Value("X-Other") == "kept" && r.Body == "body" {
			kept++
		}
	}
	if kept == 0 {
		t.Errorf("no ordinary trailer reached node: %v", records)
	}
}

// launchToken has the form of a launch token.
const launchToken = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImxhdW5jaCtqd3QiLCJraWQiOiJrIn0.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"

// TestTokensInHeaders repeats a launch link in headers and queries, in several spellings.
// No origin and no log gets its token; [TestMain] looks at the log.
func TestTokensInHeaders(t *testing.T) {
	tok := launchToken
	encoded := strings.NewReplacer("e", "%65", ".", "%2E").Replace(tok)
	for i, spelling := range []string{"session=" + tok, "%73ession=" + encoded, "Session=" + strings.ReplaceAll(encoded, "%", "%25"), "to=%2F%3Fsession%3D" + tok, "x#session=" + tok} {
		for _, session := range []bool{true, false} {
			for _, path := range []string{"/open/", "/paid/"} {
				for _, name := range []string{"Referer", "HX-Current-URL", "Next-Url", "X-Original-URL"} {
					send(t, fmt.Sprintf("GET %s%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s%s: https://app.example/?%s\r\n\r\n",
						path, mark(session, fmt.Sprint("token-", i)), kit.Origins[i%len(kit.Origins)].Whole(), cookie(session), name, spelling))
				}
				if i > 0 && !strings.Contains(spelling, "#") && !strings.HasPrefix(spelling, "%73") {
					send(t, fmt.Sprintf("GET %s%s?a=1&%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
						path, mark(session, fmt.Sprint("token-", i)), spelling, kit.Origins[i%len(kit.Origins)].Part(), cookie(session)))
				}
			}
		}
	}
	check(t)
}
