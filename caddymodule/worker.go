package caddymodule

import (
	"net/http"

	"github.com/sessiongate/sessiongate/caddymodule/inject"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// workerGuard is where modules of a service worker import the gate's guard from.
const workerGuard = protocol.GatePrefix + inject.WorkerGuardName

// isWorkerScript reports a request for a part of a service worker that gets the
// gate's guard: its main script, and in Chromium every module that it imports.
// Other browsers request those in the same way as scripts of pages.
func isWorkerScript(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	dest := r.Header.Get("Sec-Fetch-Dest")
	return dest == "serviceworker" || dest == "" && r.Header.Get("Service-Worker") == "script"
}

// asksForWorker reports a request for a service worker's main script.
func asksForWorker(r *http.Request) bool {
	return isWorkerScript(r) && r.Header.Get("Service-Worker") == "script"
}

// replacesWorker reports whether a refusal with this code is certain: the request has
// no session that may pass. Then the gate answers a request for a worker's script
// with a worker of its own; see [inject.ReplacementWorker].
func replacesWorker(code protocol.Code) bool {
	switch code {
	case protocol.SessionMissing, protocol.SessionInvalid, protocol.SessionExpired, protocol.SessionCompleted,
		protocol.SessionRevoked, protocol.SessionCanceled, protocol.WrongProvider:
		return true
	}
	return false
}

// writeReplacementWorker answers an update check of a service worker without a
// session. A worker that was installed before the gate may have answered a launch
// link from its cache.
func writeReplacementWorker(w http.ResponseWriter, r *http.Request) error {
	// A worker may have registered a wider scope than its script's folder.
	w.Header().Set("Service-Worker-Allowed", "/")
	return writeWorkerScript(w, r, inject.ReplacementWorker())
}

// serveWorkerGuard answers the guard as a module of its own.
func (g *Gate) serveWorkerGuard(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-cache")
	return writeWorkerScript(w, r, inject.WorkerGuard(g.injector != nil))
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
