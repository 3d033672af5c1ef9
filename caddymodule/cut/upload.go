package cut

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// upload is the body of a request that may outlive its session's deadline by a
// grace, as long as it is still coming.
type upload struct {
	io.ReadCloser
	grace time.Duration
	whole atomic.Bool // it has been read, or failed
	used  atomic.Bool // the grace runs
}

// Read implements [io.Reader].
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil {
		u.whole.Store(true)
	}
	return n, err
}

// AllowUpload gives the request's upload, if it has one, a grace beyond the deadline.
func (o *Request) AllowUpload(r *http.Request, grace time.Duration) {
	if grace <= 0 || !o.HasBody || o.WebSocket {
		return
	}
	o.upload = &upload{ReadCloser: r.Body, grace: grace}
	r.Body = o.upload
}

// extendUpload reports whether o goes on for its grace. Only the deadline waits for
// an upload: a revocation or a pause is meant to stop what goes on.
func (o *Request) extendUpload(code protocol.Code) bool {
	u := o.upload
	if u == nil || code != protocol.SessionExpired || u.whole.Load() || !u.used.CompareAndSwap(false, true) {
		return false
	}
	time.AfterFunc(u.grace, func() { o.Cut(code) })
	return true
}
