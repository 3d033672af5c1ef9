package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sessiongate/sessiongate/internal/protocol"
)

// maxSkew is the largest difference between two clocks that is not reported.
const maxSkew = 2 * time.Second

const remedyTime = "Synchronize the clocks of the machines, for example with chrony or systemd-timesyncd. " +
	"Sessions keep their time, because the service counts it by one clock, but certificates, sign-in and logs need the right time."

// checkTime compares the clocks of the edges with this machine's. Each answer shows its
// edge's clock in the Date header.
func (p *probe) checkTime() {
	const name = "time"
	if !p.gated {
		p.note(name, NotChecked, "no gate was found", "")
		return
	}
	var (
		worst time.Duration
		found string
		read  int
	)
	for i, a := range p.answers {
		shown, err := http.ParseTime(a.Header.Get("Date"))
		if err != nil {
			continue
		}
		read++
		// The header has whole seconds.
		if off := outside(shown, shown.Add(time.Second), a.asked, a.heard); off.Abs() > worst.Abs() {
			worst, found = off, fmt.Sprintf("the clock of the edge at %s is %s this machine's", p.addresses[i], ahead(off))
		}
	}
	switch {
	case read == 0:
		p.note(name, NotChecked, "the gate's answers have no Date header", "A proxy in front of the edge removes the Date header. Configure it to forward it.")
	case worst.Abs() > maxSkew:
		p.note(name, Warning, found, remedyTime)
	default:
		p.note(name, OK, fmt.Sprintf("the clock of the edge agrees with this machine's at %s", count(read, "address", "addresses")), "")
	}
}

// checkServiceTime compares the clock of the session service with that of the edge,
// which tells both to an admitted visitor.
func (p *probe) checkServiceTime(ctx context.Context) {
	const name = "time"
	a, err := p.ask(ctx, question{method: http.MethodGet, target: p.at(protocol.GateSession), at: p.addresses[0],
		header: append([]string{"Cookie", p.cookie}, fetch...), secret: true})
	if err != nil {
		return // the following checks report it
	}
	var session protocol.SessionAnswer
	shown, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil || json.Unmarshal(a.Body, &session) != nil || session.ServerTimeMS == 0 {
		return
	}
	service := time.UnixMilli(session.ServerTimeMS)
	off := outside(service, service, shown, shown.Add(time.Second))
	if off.Abs() > maxSkew {
		p.note(name, Warning, fmt.Sprintf("the session service's clock is %s the edge's", ahead(off)), remedyTime)
		return
	}
	p.note(name, OK, "the session service's clock agrees with the edge's", "")
}

// outside returns how far the interval from a to b is after the interval from c to d. The
// result is negative if it is before it, and 0 if the two overlap, so that a slow answer
// is not taken for a wrong clock.
func outside(a, b, c, d time.Time) time.Duration {
	switch {
	case a.After(d):
		return a.Sub(d)
	case b.Before(c):
		return b.Sub(c)
	}
	return 0
}

// ahead describes a difference, such as "12s ahead of".
func ahead(off time.Duration) string {
	if off < 0 {
		return (-off).Round(time.Second).String() + " behind"
	}
	return off.Round(time.Second).String() + " ahead of"
}
