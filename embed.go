// Package sessiongate holds what the program ships besides code.
package sessiongate

import _ "embed"

// CaddyfileExample is the Caddyfile that the demo runs and operators start from.
//
//go:embed Caddyfile.example
var CaddyfileExample string
