package dashboard

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
)

var (
	//go:embed pass.html
	passPage string
	//go:embed pass.js
	passScript string

	passTemplate = template.Must(template.New("pass").Parse(passPage)) // embedded: tested
	passJS       = "\n" + passScript
	// The form leads to the app, whose address is known only once the form was sent:
	// browsers check form-action for that redirect, too.
	passPolicy = fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; form-action 'self' https: http:; frame-ancestors 'none'; base-uri 'none'",
		sourceHash(signInCSS), sourceHash(passJS))
)

// WritePass answers with the page on which a pass opens, or to which its sessions return.
// It is the same for every pass, but for what went wrong: what a pass carries stands in
// its fragment, which the page takes from the address bar and sends once its reader
// presses the button.
func WritePass(w http.ResponseWriter, status int, problem string) error {
	return writePage(w, status, passTemplate, passPolicy, struct {
		CSS     template.CSS
		JS      template.JS
		Problem string
	}{template.CSS(signInCSS), template.JS(passJS), problem})
}
