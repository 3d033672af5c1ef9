package api

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// siteBody is what a provider decides about its own site, with all defaults.
type siteBody struct {
	OpenPaths          []string        `json:"open_paths" nullable:"false" example:"[\"/robots.txt\",\"/hooks/*\"]" doc:"Paths that need no session, at most 100 of 200 bytes. A star at the end stands for any rest (/hooks/*), one at the beginning for any directory (/*.css). Default: none"`
	Inject             string          `json:"inject" enum:"on,off" doc:"Whether pages get the clock. Default: on"`
	Cookie             string          `json:"cookie" enum:"lax,partitioned" doc:"partitioned: for an app that pages of other sites embed. Default: lax"`
	ForwardIdentity    string          `json:"forward_identity" enum:"headers,jwt,off" doc:"How the app is told the user and the session. Default: headers"`
	UploadGraceSeconds int64           `json:"upload_grace_seconds" minimum:"0" maximum:"3600" doc:"How long after the end of a session an upload in progress may continue. Default: 0"`
	MaxSessions        int64           `json:"max_sessions" minimum:"0" maximum:"1000000" doc:"The most live sessions at once. A further sale is refused with 409 provider_full. Default: 0, no limit"`
	Maintenance        maintenanceBody `json:"maintenance" doc:"Closes the site. Clocks of its sessions stand still and sales are refused with 503 maintenance meanwhile"`
	Brand              brandBody       `json:"brand" doc:"How the pages of the gate and the clock present the app"`
	Clock              siteClockBody   `json:"clock" doc:"How the clock looks at first. Users may move and collapse it"`
}

type maintenanceBody struct {
	On      bool   `json:"on" doc:"Whether the site is closed. Default: false"`
	Message string `json:"message" doc:"Plain text for visitors, at most 300 characters"`
	Until   int64  `json:"until" doc:"When it is expected to be over, in Unix seconds; 0: not known. The site stays closed until on is false"`
}

type brandBody struct {
	AppName    string `json:"app_name" doc:"At most 300 characters. Default: empty, the host of the site"`
	ShopURL    string `json:"shop_url" doc:"Where a session can be bought, an https URL. Default: empty, the marketplace"`
	SupportURL string `json:"support_url" doc:"An https URL"`
	LogoURL    string `json:"logo_url" doc:"An https URL of a picture"`
	Accent     string `json:"accent" example:"#0f6b5c" doc:"#rrggbb or #rgb. Pages darken or lighten it where text needs more contrast. Default: #0f6b5c"`
}

type siteClockBody struct {
	Position  string                    `json:"position" enum:"bottom-right,bottom-left,top-right,top-left" doc:"Default: bottom-right"`
	Hidden    bool                      `json:"hidden" doc:"Hides the clock; warnings and the end are shown all the same. Default: false"`
	Collapsed bool                      `json:"collapsed" doc:"Default: false"`
	Texts     map[string]clockTextsBody `json:"texts" doc:"Own texts by language, such as en or pt-BR, at most 20. A change replaces all of them"`
}

type clockTextsBody struct {
	Warning string `json:"warning" doc:"Below the title of the warning, at most 300 characters; empty: the built-in text"`
	Ended   string `json:"ended" doc:"Below the title of the end, at most 300 characters; empty: the built-in text"`
}

// siteBodyOf returns the body of settings whose defaults are written out.
func siteBodyOf(s protocol.Site) siteBody {
	texts := make(map[string]clockTextsBody, len(s.Clock.Texts))
	for tag, t := range s.Clock.Texts {
		texts[tag] = clockTextsBody(t)
	}
	return siteBody{
		OpenPaths: s.OpenPaths, Inject: s.Inject, Cookie: s.Cookie, ForwardIdentity: s.ForwardIdentity,
		UploadGraceSeconds: s.UploadGraceSeconds, MaxSessions: s.MaxSessions,
		Maintenance: maintenanceBody(*s.Maintenance), Brand: brandBody(*s.Brand),
		Clock: siteClockBody{Position: s.Clock.Position, Hidden: s.Clock.Hidden, Collapsed: s.Clock.Collapsed, Texts: texts},
	}
}

// sitePatch is a change of site settings in JSON, in the shape of [siteBody]: each field
// may be left out, or null for its default.
type sitePatch json.RawMessage

func (p *sitePatch) UnmarshalJSON(text []byte) error {
	*p = bytes.Clone(text)
	return nil
}

func (p sitePatch) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	return p, nil
}

// Schema is the schema of a [siteBody] in which nothing is required and all may be null.
func (sitePatch) Schema(r huma.Registry) *huma.Schema {
	s := optional(r, r.Schema(typeOf[siteBody](), true, ""))
	s.Description = "Changes site settings. Fields that are left out stay; null resets a field, or all of them, to the default. maintenance, brand and clock are merged field by field"
	return s
}

// optional copies the schema of an object, and those of the objects in it.
func optional(r huma.Registry, s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	out := *s
	out.Nullable, out.Required = true, nil
	out.Properties = maps.Clone(s.Properties)
	for name, property := range out.Properties {
		out.Properties[name] = optional(r, property)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		out.AdditionalProperties = optional(r, values)
	}
	out.PrecomputeMessages()
	return &out
}

var (
	_ huma.SchemaProvider = sitePatch(nil)
	_ json.Marshaler      = sitePatch(nil)
)
