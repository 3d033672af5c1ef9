package caddymodule

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/sessiongate/sessiongate/caddymodule/edge"
	"github.com/sessiongate/sessiongate/internal/contrast"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// brand is how the gate's pages present an app. It is immutable.
type brand struct {
	app     string // "": the host stands for it
	logo    string // an https URL, or ""
	shop    string // where a session can be had, or ""
	support string
	style   template.CSS // of the whole page
	policy  string       // of the built-in page
}

// brandOf is the brand of a provider; nil: it has none.
func brandOf(b *protocol.Brand) brand {
	if b == nil {
		return brand{style: template.CSS(pageStyle), policy: policyFor(pageStyle, "")}
	}
	style := pageStyle + accentStyle(b.Accent)
	made := brand{app: plainText(b.AppName), shop: webURL(b.ShopURL), support: webURL(b.SupportURL), style: template.CSS(style)}
	source := ""
	if made.logo, source = logoOf(b.LogoURL); made.logo == "" {
		source = ""
	}
	made.policy = policyFor(style, source)
	return made
}

// accentStyle sets the colors of a page for a provider's accent, so that all text on it
// holds WCAG AA. It is empty for a value that is no color.
func accentStyle(accent string) string {
	onLight, onDark, err := contrast.For(accent)
	if err != nil {
		return ""
	}
	set := func(s contrast.Shades) string {
		return ":root{--sg-accent:" + s.Text + ";--sg-accent-fill:" + s.Fill + ";--sg-accent-ink:" + s.Ink + ";--sg-accent-soft:" + s.Soft + "}"
	}
	return set(onLight) + "@media (prefers-color-scheme:dark){" + set(onDark) + "}\n"
}

// logoOf returns the URL of a logo, and the source by which a content security policy
// allows it; "" for one that pages cannot load.
func logoOf(raw string) (logo, source string) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > protocol.MaxSiteURL || u.User != nil || u.Hostname() == "" {
		return "", ""
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return "", ""
	}
	// What is not a plain name would end the source in the policy's header.
	ascii := strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789-.:") == ""
	if !ascii {
		return "", ""
	}
	return u.String(), u.Scheme + "://" + strings.ToLower(u.Host)
}

// plainText removes what text of a provider can disturb a page with: control characters,
// and those that turn the direction of what follows.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > protocol.MaxSiteText {
		s = string(runes[:protocol.MaxSiteText])
	}
	return strings.TrimSpace(s)
}

// shopOf returns where a session of the app at the request's host can be had: the
// provider's shop, or the marketplace; "" if neither is known.
func (g *Gate) shopOf(r *http.Request) string {
	if shop := g.settingsFor(r).rules().brand.shop; shop != "" && !leadsBack(r, shop) {
		return shop
	}
	return g.marketplaceOf(r)
}

// brandPage adds to a page how the provider of the request's site presents the app.
func (g *Gate) brandPage(r *http.Request, p page) page {
	b := &g.settingsFor(r).rules().brand
	t := textsOf(p.Lang)
	p.App, p.Logo, p.Style = b.app, b.logo, b.style
	if p.App == "" {
		p.App = shownHost(r)
	}
	if b.app != "" || b.logo != "" {
		p.Initial = initialOf(p.App)
	}
	if b.support != "" {
		p.Support, p.SupportLabel = b.support, t.Support
	}
	if shop := g.shopOf(r); shop != "" && p.Code != protocol.AnotherSession && p.Code != protocol.SessionPaused {
		switch {
		case p.Back == "":
			p.Back, p.BackLabel = shop, t.Shop
			if shop == b.shop && p.Code != protocol.InMaintenance {
				p.BackLabel = t.Buy
			}
		case shop != p.Back && shop == b.shop && p.Code != protocol.InMaintenance:
			p.Shop, p.ShopLabel = shop, t.Buy
		}
	}
	if p.Back == "" && p.RetryLabel == "" && p.ResumeTo == "" && p.Code == protocol.HostUnknown {
		p.RetryLabel = t.Retry // it may be registered soon
	}
	return p
}

// shownHost is the request's host as a page shows it.
func shownHost(r *http.Request) string {
	host := plainText(edge.BareHost(r.Host))
	if len(host) > 100 {
		return ""
	}
	return host
}

// initialOf is the letter that stands for an app without a logo.
func initialOf(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return ""
}
