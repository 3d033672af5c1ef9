// Package sessiongate is what a Caddy build imports to have the gate in it:
//
//	xcaddy build --with github.com/sessiongate/sessiongate
//
// It also holds what the program ships besides code.
package sessiongate

import (
	_ "embed"

	_ "github.com/sessiongate/sessiongate/caddymodule" // registers the modules
	_ "github.com/sessiongate/sessiongate/edgestorage" // and the storage that edges share
)

// CaddyfileExample is the Caddyfile that the demo runs and operators start from.
//
//go:embed Caddyfile.example
var CaddyfileExample string
