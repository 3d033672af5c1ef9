package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// workerdBinary is Cloudflare's runtime, from the npm package of bench/edge/workerd.
const workerdBinary = "bench/edge/workerd/node_modules/.bin/workerd"

// workerd does the same job in a worker (gate.mjs): WebCrypto verifies a token
// once, HTMLRewriter writes the tag. It decompresses and compresses pages to
// look into them, as the runtime does by itself. It cuts nothing off.
func (f *field) workerd(ctx context.Context) (*contender, error) {
	binary, err := filepath.EvalSymlinks(workerdBinary)
	if err != nil {
		return nil, missingError("npm's package workerd: (cd bench/edge/workerd && npm ci)")
	}
	// The package's program is a script that starts the one for this platform, or
	// is that one by itself.
	if found, _ := filepath.Glob("bench/edge/workerd/node_modules/@cloudflare/workerd-*/bin/workerd"); len(found) > 0 {
		binary = found[0]
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	worker, err := os.ReadFile("bench/edge/workerd/gate.mjs")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(f.dir, "workerd"), 0o755); err != nil {
		return nil, err
	}
	if _, err := f.write("workerd/gate.mjs", string(worker)); err != nil {
		return nil, err
	}
	keys, err := f.jwks(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := f.write("workerd/jwks.json", string(keys)); err != nil {
		return nil, err
	}
	c := &contender{
		address: freeAddress(), cookies: f.launches, tagged: true,
		what: "Cloudflare's runtime with a worker: WebCrypto once a token, identity headers, `HTMLRewriter` for the tag: no cut-off; gzip pages are decompressed and compressed again",
	}
	path, err := f.write("workerd/config.capnp", fmt.Sprintf(workerdConfig, f.origin.address, c.address))
	if err != nil {
		return nil, err
	}
	c.command = func() *exec.Cmd { return f.command(ctx, "0", binary, "serve", path) }
	return c, c.start(f)
}

const workerdConfig = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
	services = [
		(name = "gate", worker = .gate),
		(name = "origin", external = (address = "%s", http = ())),
	],
	sockets = [(name = "http", address = "%s", http = (), service = "gate")],
);

const gate :Workerd.Worker = (
	modules = [(name = "gate.mjs", esModule = embed "gate.mjs")],
	bindings = [(name = "ORIGIN", service = "origin"), (name = "JWKS", json = embed "jwks.json")],
	compatibilityDate = "2026-11-01",
);
`
