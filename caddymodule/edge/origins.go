package edge

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// originsMost bounds the providers whose origins are remembered as failing.
const originsMost = 10_000

// Origins records which providers' origins do not respond, for the operator. It
// decides nothing: reverse_proxy has its own health checks (fail_duration).
type Origins struct {
	failing atomic.Int32 // how many there are; read after each answer

	mu sync.Mutex // guards by
	by map[string]*FailingOrigin
}

// FailingOrigin is an origin that did not answer when it was last asked, as the
// admin API shows it.
type FailingOrigin struct {
	ProviderID string `json:"provider_id"`
	Failures   int    `json:"failures"` // since it last answered
	Since      int64  `json:"since"`    // Unix seconds
	Status     int    `json:"status"`   // 502, 503 or 504
}

// Failed records that a provider's origin did not answer.
func (o *Origins) Failed(provider string, status int, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.by[provider]
	if f == nil {
		if len(o.by) >= originsMost {
			return
		}
		if o.by == nil {
			o.by = make(map[string]*FailingOrigin)
		}
		f = &FailingOrigin{ProviderID: provider, Since: now.Unix()}
		o.by[provider] = f
		o.failing.Add(1)
	}
	f.Failures++
	f.Status = status
}

// Answered forgets the failures of a provider's origin. While no origin
// fails, it takes no lock.
func (o *Origins) Answered(provider string) {
	if o.failing.Load() == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by[provider] != nil {
		delete(o.by, provider)
		o.failing.Add(-1)
	}
}

// List is every failing origin, the longest first.
func (o *Origins) List() []FailingOrigin {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]FailingOrigin, 0, len(o.by))
	for _, f := range o.by {
		list = append(list, *f)
	}
	sort.Slice(list, func(i, j int) bool {
		if list[i].Since != list[j].Since {
			return list[i].Since < list[j].Since
		}
		return list[i].ProviderID < list[j].ProviderID
	})
	return list
}
