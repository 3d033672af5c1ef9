package dashboard

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
)

var (
	//go:embed portal.html
	portalPage string
	//go:embed portal.js
	portalScript string

	portalTemplate = template.Must(template.New("portal").Parse(portalPage)) // embedded: tested
	portalJS       = "\n" + portalScript
	portalPolicy   = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		sourceHash(signInCSS), sourceHash(portalJS))
)

// WritePortal answers with the page on which a portal link opens. It is the
// same for every link: what a link carries stands in its fragment, which the
// page takes from the address bar and sends once its reader presses the button.
func WritePortal(w http.ResponseWriter) error {
	return writePage(w, http.StatusOK, portalTemplate, portalPolicy, struct {
		CSS template.CSS
		JS  template.JS
	}{template.CSS(signInCSS), template.JS(portalJS)})
}
