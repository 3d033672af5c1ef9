package service

import (
	"strings"
	"testing"
)

// What people paste where a domain is asked for is read as they mean it.
func TestPastedDomainsAreReadAsMeant(t *testing.T) {
	t.Parallel()
	for pasted, want := range map[string]string{
		"app.acme.com":                              "app.acme.com",
		"https://app.acme.com":                      "app.acme.com",
		"https://app.acme.com/x?y=1#z":              "app.acme.com",
		"HTTP://App.Acme.COM:8443/":                 "app.acme.com",
		"//app.acme.com/x":                          "app.acme.com",
		"app.acme.com/path":                         "app.acme.com",
		"app.acme.com?x=1":                          "app.acme.com",
		"app.acme.com:443":                          "app.acme.com",
		"app.acme.com.":                             "app.acme.com",
		"\u00a0 app.acme.com\t\n":                   "app.acme.com",
		"\ufeffapp.acme.com":                        "app.acme.com",
		"M\u00fcller.example":                       "xn--mller-kva.example",
		"https://m\u00fcller.example./shop":         "xn--mller-kva.example",
		"app\u3002acme\u3002com":                    "app.acme.com", // ideographic full stops
		"xn--mller-kva.example":                     "xn--mller-kva.example",
		"localhost":                                 "localhost",
		"192.0.2.7:8080":                            "192.0.2.7",
		"http://[2001:DB8::1]:8080/":                "2001:db8::1",
		"2001:db8::1":                               "2001:db8::1",
		"::ffff:192.0.2.7":                          "192.0.2.7",
		"1password.example":                         "1password.example",
		"a." + strings.Repeat("b", 63) + ".example": "a." + strings.Repeat("b", 63) + ".example",
	} {
		if got, err := parseDomain(pasted); got != want || err != nil {
			t.Errorf("parseDomain(%q) = %q, %v; want %q", pasted, got, err, want)
		}
	}
}

// What is no host is refused with a reason, and never stored as something else.
func TestWhatIsNoDomainIsRefused(t *testing.T) {
	t.Parallel()
	for pasted, want := range map[string]error{
		"":                                      errHostEmpty,
		" \t":                                   errHostEmpty,
		"https://":                              errHostEmpty,
		"https:///path":                         errHostEmpty,
		".":                                     errHostEmpty,
		"a.example b.example":                   errHostSeveral,
		"a.example, b.example":                  errHostSeveral,
		"a.example;b.example":                   errHostSeveral,
		"ftp://app.acme.com":                    errHostScheme,
		"javascript:alert(1)":                   errHostScheme,
		"https:app.acme.com":                    errHostScheme,
		"https":                                 errHostSlashes,
		"https:":                                errHostSlashes,
		"https:/app.acme.com":                   errHostSlashes,
		"HTTP:/app.acme.com/x":                  errHostSlashes,
		"https://https://app.acme.com":          errHostSlashes,
		"mailto:x@y":                            errHostMail,
		"ada@acme.com":                          errHostMail,
		"https://user:pw@acme.com/":             errHostMail,
		"*.acme.com":                            errHostWildcard,
		"my_app.acme.com":                       errHostUnderscore,
		"_acme-challenge.acme.com":              errHostUnderscore,
		"a..b":                                  errHostLabel,
		".acme.com":                             errHostLabel,
		"acme.com..":                            errHostLabel,
		"-a.acme.com":                           errHostLabel,
		"a-.acme.com":                           errHostLabel,
		strings.Repeat("a", 64) + ".com":        errHostLabel,
		strings.Repeat("abcdefgh.", 29) + "com": errHostLength,
		"999.1.1.1":                             errHostNumber,
		"1.2.3":                                 errHostNumber,
		"127.1":                                 errHostNumber,
		"0x7f.0.0.0x1":                          errHostNumber,
		"app.123":                               errHostNumber,
		"1.2.3.4.5":                             errHostNumber,
		"app.acme.com:99999":                    errHostPort,
		"app.acme.com:0":                        errHostPort,
		"app.acme.com:80a":                      errHostPort,
		"https://app.acme.com:99999":            errHostPort,
		"app.acme.com:+80":                      errHostPort,
		"fe80::1%eth0":                          errHostZone,
		"app%2eacme.com":                        errHostChars,
		"app.acme.com\\x":                       errHostChars,
		"\"app.acme.com\"":                      errHostChars,
		"[app.acme.com]":                        errHostChars,
		"[2001:db8::1":                          errHostChars,
		"a:b:c":                                 errHostChars,
		"xn--a":                                 errHostChars,
	} {
		if got, err := parseDomain(pasted); got != "" || err != want {
			t.Errorf("parseDomain(%q) = %q, %v; want %v", pasted, got, err, want)
		}
	}
}

// A host is stored so that reading it again changes nothing.
func FuzzParseDomain(f *testing.F) {
	for _, s := range []string{"https://app.acme.com/x", "m\u00fcller.example:8443", "[::1]:80", "a..b", "999.1.1.1", "mailto:x@y", "A_b", "1.2.3.4."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pasted string) {
		host, err := parseDomain(pasted)
		if err != nil {
			if host != "" {
				t.Errorf("%q is refused and read as %q", pasted, host)
			}
			return
		}
		if again, err := parseDomain(host); again != host || err != nil {
			t.Errorf("%q is read as %q, and that as %q, %v", pasted, host, again, err)
		}
		if lookedUp, err := normalizeDomain(host); lookedUp != host || err != nil {
			t.Errorf("%q is stored as %q and looked up as %q, %v", pasted, host, lookedUp, err)
		}
	})
}

// The addresses of servers and pages have hosts that can exist.
func TestURLsOfHostsThatCannotExist(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"http://my_app:3000":          true, // a container's name
		"http://127.0.0.1:3000":       true,
		"http://[::1]:3000":           true,
		"https://m\u00fcller.example": true,
		"http://app:99999":            false,
		"http://app:0":                false,
		"https://999.1.1.1":           false,
		"https://a..b":                false,
		"https://a.example b":         false,
		"mailto:x@y":                  false,
	} {
		if isOrigin(raw) != want || isPage(raw) != want {
			t.Errorf("%q: isOrigin %v, isPage %v; want %v", raw, isOrigin(raw), isPage(raw), want)
		}
	}
}

func TestReturnHostsKeepTheirPort(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Market.Example":                 "market.example",
		" market.example ":               "market.example",
		"market.example:8443":            "market.example:8443",
		"https://market.example/done":    "market.example",
		"https://market.example:8443/ok": "market.example:8443",
		"m\u00fcller.example":            "xn--mller-kva.example",
		"[2001:DB8::1]:8443":             "[2001:db8::1]:8443",
		"2001:db8::1":                    "[2001:db8::1]",
		"127.0.0.1":                      "127.0.0.1",
		"market.example/path":            "market.example",
		"market.example:0":               "",
		"market.example:65536":           "",
		"user@market.example":            "",
		"":                               "",
	} {
		got, err := parseHostPort(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parseHostPort(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}
