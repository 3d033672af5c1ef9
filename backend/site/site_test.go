package site

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// TestMergeReplacesWhatIsNamed changes settings field by field.
func TestMergeReplacesWhatIsNamed(t *testing.T) {
	t.Parallel()
	current := protocol.Site{
		OpenPaths: []string{"/a"}, Inject: "off", MaxSessions: 5,
		Brand: &protocol.Brand{AppName: "App", Accent: "#123456"},
		Clock: &protocol.SiteClock{Position: "top-left", Texts: map[string]protocol.ClockTexts{"en": {Warning: "Soon"}, "de": {Warning: "Bald"}}},
	}
	for _, c := range []struct {
		patch string
		want  func(*protocol.Site)
	}{
		{`{}`, func(*protocol.Site) {}},
		{`null`, func(s *protocol.Site) { *s = protocol.Site{} }},
		{`{"max_sessions":7}`, func(s *protocol.Site) { s.MaxSessions = 7 }},
		{`{"max_sessions":null}`, func(s *protocol.Site) { s.MaxSessions = 0 }},
		{`{"open_paths":["/b"]}`, func(s *protocol.Site) { s.OpenPaths = []string{"/b"} }},
		{`{"open_paths":[]}`, func(s *protocol.Site) { s.OpenPaths = []string{} }},
		{`{"brand":{"app_name":"Other"}}`, func(s *protocol.Site) { s.Brand = &protocol.Brand{AppName: "Other", Accent: "#123456"} }},
		{`{"brand":{"accent":null}}`, func(s *protocol.Site) { s.Brand = &protocol.Brand{AppName: "App"} }},
		{`{"brand":null}`, func(s *protocol.Site) { s.Brand = nil }},
		{`{"Brand":{"App_Name":"Other"},"INJECT":"on"}`, func(s *protocol.Site) {
			s.Brand, s.Inject = &protocol.Brand{AppName: "Other", Accent: "#123456"}, "on"
		}},
		{`{"maintenance":{"on":true}}`, func(s *protocol.Site) { s.Maintenance = &protocol.Maintenance{On: true} }},
		{`{"clock":{"hidden":true}}`, func(s *protocol.Site) {
			c := *s.Clock
			c.Hidden = true
			s.Clock = &c
		}},
		{`{"clock":{"texts":{"fr":{"ended":"Fini"}}}}`, func(s *protocol.Site) {
			s.Clock = &protocol.SiteClock{Position: "top-left", Texts: map[string]protocol.ClockTexts{"fr": {Ended: "Fini"}}}
		}},
		{`{"clock":{"texts":null}}`, func(s *protocol.Site) { s.Clock = &protocol.SiteClock{Position: "top-left"} }},
	} {
		want := current
		c.want(&want)
		if got, err := Merge(current, []byte(c.patch)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s, %v; want %s", c.patch, text1(got), err, text1(want))
		}
	}
	for _, patch := range []string{``, `[]`, `"x"`, `{"brand":1}`, `{"brand":{"color":"#fff"}}`, `{"clocks":{}}`, `{"max_sessions":"5"}`, `{"open_paths":"/a"}`, `{"clock":{"texts":[]}}`} {
		if got, err := Merge(current, []byte(patch)); err == nil {
			t.Errorf("%s is taken: %s", patch, text1(got))
		}
	}
}

func text1(s protocol.Site) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// TestDefaultsAreNotKept writes every default out, and has them left out again.
func TestDefaultsAreNotKept(t *testing.T) {
	t.Parallel()
	got, err := Normalize(Full(protocol.Site{}), nil)
	if err != nil || text1(got) != `{}` {
		t.Errorf("%s, %v", text1(got), err)
	}
	want := `{"open_paths":["/a"],"inject":"off","cookie":"partitioned","forward_identity":"jwt","upload_grace_seconds":60,"max_sessions":3,` +
		`"maintenance":{"on":true,"message":"Back soon"},"brand":{"app_name":"App","shop_url":"https://shop.example/?a=b","accent":"#ffaa00"},` +
		`"clock":{"hidden":true,"texts":{"pt-BR":{"warning":"Quase"}}}}`
	var s protocol.Site
	if err := json.Unmarshal([]byte(want), &s); err != nil {
		t.Fatal(err)
	}
	s.Brand.Accent, s.Clock.Texts = " #FA0", map[string]protocol.ClockTexts{"pt_br": {Warning: " Quase "}, "de": {}}
	if got, err := Normalize(Full(s), nil); err != nil || text1(got) != want {
		t.Errorf("%s, %v; want %s", text1(got), err, want)
	}
}

// TestValuesThatAreRefused has one value of each setting that is out of its bounds. The
// error names the setting.
func TestValuesThatAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", protocol.MaxSiteText+1)
	for patch, field := range map[string]string{
		`{"inject":"yes"}`:                                                             "site.inject",
		`{"cookie":"none"}`:                                                            "site.cookie",
		`{"forward_identity":"on"}`:                                                    "site.forward_identity",
		`{"upload_grace_seconds":-1}`:                                                  "site.upload_grace_seconds",
		`{"upload_grace_seconds":3601}`:                                                "site.upload_grace_seconds",
		`{"max_sessions":-1}`:                                                          "site.max_sessions",
		`{"max_sessions":1000001}`:                                                     "site.max_sessions",
		`{"maintenance":{"message":"` + long + `"}}`:                                   "site.maintenance.message",
		`{"maintenance":{"message":"a\nb"}}`:                                           "site.maintenance.message",
		`{"maintenance":{"until":-1}}`:                                                 "site.maintenance.until",
		`{"maintenance":{"until":1893456000000}}`:                                      "site.maintenance.until",
		`{"brand":{"app_name":"a\u202Eb"}}`:                                            "site.brand.app_name",
		`{"brand":{"app_name":"a\u0007"}}`:                                             "site.brand.app_name",
		`{"brand":{"shop_url":"http://shop.example/"}}`:                                "site.brand.shop_url",
		`{"brand":{"shop_url":"javascript:alert(1)"}}`:                                 "site.brand.shop_url",
		`{"brand":{"shop_url":"//shop.example/"}}`:                                     "site.brand.shop_url",
		`{"brand":{"shop_url":"https:///x"}}`:                                          "site.brand.shop_url",
		`{"brand":{"support_url":"https://me:pw@shop.example/"}}`:                      "site.brand.support_url",
		`{"brand":{"shop_url":"https://app.example.com/?session=abc"}}`:                "site.brand.shop_url",
		`{"brand":{"shop_url":"https://app.example.com/?a=b&%73ession=abc"}}`:          "site.brand.shop_url",
		`{"brand":{"logo_url":"data:image/png;base64,AAAA"}}`:                          "site.brand.logo_url",
		`{"brand":{"logo_url":"https://a.example/\"onerror=x"}}`:                       "site.brand.logo_url",
		`{"brand":{"shop_url":"https://a.example/` + strings.Repeat("a", 2048) + `"}}`: "site.brand.shop_url",
		`{"brand":{"accent":"red"}}`:                                                   "site.brand.accent",
		`{"brand":{"accent":"#12345"}}`:                                                "site.brand.accent",
		`{"brand":{"accent":"#12345678"}}`:                                             "site.brand.accent",
		`{"clock":{"position":"center"}}`:                                              "site.clock.position",
		`{"clock":{"texts":{"english!":{"warning":"x"}}}}`:                             "site.clock.texts",
		`{"clock":{"texts":{"":{"warning":"x"}}}}`:                                     "site.clock.texts",
		`{"clock":{"texts":{"en":{"warning":"` + long + `"}}}}`:                        "site.clock.texts.en.warning",
		`{"clock":{"texts":{"en":{"ended":"a\u2066b"}}}}`:                              "site.clock.texts.en.ended",
		`{"clock":{"texts":{"pt-br":{"ended":"a"},"pt-BR":{"ended":"b"}}}}`:            "site.clock.texts",
		`{"open_paths":["/a","/*"]}`:                                                   "site.open_paths[1]",
	} {
		s, err := Merge(protocol.Site{}, []byte(patch))
		if err == nil {
			_, err = Normalize(s, nil)
		}
		if err == nil || !strings.HasPrefix(err.Error(), field+" ") {
			t.Errorf("%.80s: %v, want a refusal of %s", patch, err, field)
		}
	}
}

// TestLinksThatAreTaken has the forms of a link that pages can show.
func TestLinksThatAreTaken(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"", "https://shop.example/", "https://shop.example/buy?plan=1#top", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:1/", "https://xn--mnchen-3ya.example/"} {
		if got, err := Normalize(protocol.Site{Brand: &protocol.Brand{ShopURL: link, AppName: "A"}}, nil); err != nil || got.Brand.ShopURL != link {
			t.Errorf("%q: %+v, %v", link, got.Brand, err)
		}
	}
}

// TestSettingsAreBoundedTogether fills every list and text: together they are too large.
func TestSettingsAreBoundedTogether(t *testing.T) {
	t.Parallel()
	texts := make(map[string]protocol.ClockTexts)
	for _, tag := range strings.Fields("ar bg cs da de el en es et fi fr hu it ja ko lt lv nl pl pt") {
		texts[tag] = protocol.ClockTexts{Warning: strings.Repeat("世", protocol.MaxSiteText), Ended: strings.Repeat("界", protocol.MaxSiteText)}
	}
	if _, err := Normalize(protocol.Site{Clock: &protocol.SiteClock{Texts: texts}}, nil); err == nil || !strings.Contains(err.Error(), "at most 32768") {
		t.Errorf("%v", err)
	}
	texts["sv"] = protocol.ClockTexts{Warning: "a"}
	if _, err := Normalize(protocol.Site{Clock: &protocol.SiteClock{Texts: texts}}, nil); err == nil || !strings.Contains(err.Error(), "21 languages") {
		t.Errorf("%v", err)
	}
}
