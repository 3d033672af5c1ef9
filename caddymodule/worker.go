package caddymodule

import (
	"net/http"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// workerGuard is the path from which module service workers import the guard.
const workerGuard = protocol.GatePrefix + inject.WorkerGuardName

// isWorkerScript reports whether a request is for a service worker script that gets the
// guard: the main script, and in Chromium also every module that it imports. In other
// browsers, requests for imported modules look like requests for page scripts.
func isWorkerScript(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "serviceworker" || dest == "" && r.Header.Get("Service-Worker") == "script"
}

// asksForWorker reports whether a request is for a service worker's main script.
func asksForWorker(r *http.Request) bool {
	return isWorkerScript(r) && r.Header.Get("Service-Worker") == "script"
}

// replacesWorker reports whether a refusal with this code is certain because the
// request has no valid session. The gate then answers a request for a worker's script
// with a worker of its own. See [inject.ReplacementWorker].
func replacesWorker(code protocol.Code) bool {
	switch code {
	case protocol.SessionMissing, protocol.SessionInvalid, protocol.SessionExpired, protocol.SessionCompleted,
		protocol.SessionRevoked, protocol.SessionCanceled, protocol.SessionMoved, protocol.WrongProvider:
		return true
	}
	return false
}

// writeReplacementWorker answers a service worker's update check that has no session. A
// worker that was installed before the gate may have answered a launch link from its
// cache.
func writeReplacementWorker(w http.ResponseWriter, r *http.Request) error {
	// Allow any scope: a worker may have registered a wider scope than its script's
	// folder.
	w.Header().Set("Service-Worker-Allowed", "/")
	return writeWorkerScript(w, r, inject.ReplacementWorker())
}

// serveWorkerGuard serves the guard as a module.
func (g *Gate) serveWorkerGuard(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	return writeWorkerScript(w, r, inject.WorkerGuard(g.settingsFor(r).injector() != nil))
}

func writeWorkerScript(w http.ResponseWriter, r *http.Request, script []byte) error {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(script)
	return err
}
