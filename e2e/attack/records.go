package attack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sessiongate/sessiongate/e2e/harness"
)

// Record is a request as an origin understood it.
type Record struct {
	Origin string      `json:"-"`
	Method string      `json:"method"`
	Target string      `json:"target"`
	Vars   [][2]string `json:"vars"` // its headers, under the names that the origin's program sees
	Body   string      `json:"body"`

	// A line of Caddy's access log has these instead.
	Request *struct {
		Method  string              `json:"method"`
		URI     string              `json:"uri"`
		Headers map[string][]string `json:"headers"`
	} `json:"request"`
}

// String is the record in an error.
func (r Record) String() string {
	return fmt.Sprintf("%s got %s %s with %q, body %.200q", r.Origin, r.Method, r.Target, r.Vars, r.Body)
}

// folded is the name of a variable as programs compare it, without HTTP_.
func folded(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, name)
	return strings.TrimPrefix(strings.TrimPrefix(name, "REDIRECT_"), "HTTP_")
}

// Value is the value of a header, whatever the origin calls it.
func (r Record) Value(name string) string {
	for _, v := range r.Vars {
		if folded(v[0]) == folded(name) {
			return v[1]
		}
	}
	return ""
}

// recordsOf are the records of an origin from an offset on, and the next offset.
func recordsOf(o *Origin, from int64) ([]Record, int64, error) {
	text, err := os.ReadFile(o.records)
	if err != nil {
		return nil, from, err
	}
	text = text[from:]
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	var all []Record
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		r := Record{Origin: o.Name}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, from, fmt.Errorf("%s recorded %.300q: %w", o.Name, lines.Text(), err)
		}
		if r.Request != nil {
			r.Method, r.Target = r.Request.Method, r.Request.URI
			for name, values := range r.Request.Headers {
				for _, v := range values {
					r.Vars = append(r.Vars, [2]string{name, v})
				}
			}
		}
		all = append(all, r)
	}
	return all, from + int64(len(text)), lines.Err()
}

// Records are all records of an origin whose target contains a mark.
func (k *Kit) Records(o *Origin, mark string) ([]Record, error) {
	all, _, err := recordsOf(o, 0)
	var marked []Record
	for _, r := range all {
		if strings.Contains(r.Target, mark) {
			marked = append(marked, r)
		}
	}
	return marked, err
}

// direct begins the paths of requests that the kit sends to an origin itself.
const direct = "/kit-direct/"

// Settle waits until every origin has recorded what it was asked so far.
func (k *Kit) Settle() error {
	errs := make([]error, len(k.Origins))
	var all sync.WaitGroup
	for i, o := range k.Origins {
		all.Go(func() {
			mark := fmt.Sprintf("%ssettle-%d", direct, len(k.settled(o)))
			began := time.Now()
			errs[i] = harness.Await(o.Name+" does not record", func() error {
				// hypercorn stops answering after some of what it is sent.
				if time.Since(began) > 10*time.Second {
					began = time.Now()
					if err := k.restart(o); err != nil {
						return err
					}
				}
				if _, err := harness.Blind(o.Address, "GET "+mark+" HTTP/1.1\r\nHost: kit\r\nConnection: close\r\n\r\n"); err != nil {
					return err
				}
				if found, err := k.Records(o, mark); err != nil || len(found) == 0 {
					return fmt.Errorf("no record of %s: %w", mark, err)
				}
				return nil
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (k *Kit) settled(o *Origin) []Record {
	all, _ := k.Records(o, direct+"settle-")
	return all
}

// Check returns what the records since the last check show that must not be. Cells whose
// path or query holds "nosession" came without one.
func (k *Kit) Check() (wrong []string, seen int, err error) {
	if err := k.Settle(); err != nil {
		return nil, 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.Origins {
		records, next, err := recordsOf(o, k.read[o.Name])
		if err != nil {
			return nil, 0, err
		}
		k.read[o.Name] = next
		for _, r := range records {
			if strings.HasPrefix(r.Target, direct) {
				continue
			}
			seen++
			for _, reason := range k.wrong(r) {
				wrong = append(wrong, reason+": "+r.String())
			}
		}
	}
	return wrong, seen, nil
}

// wrong says what about a record must not be.
func (k *Kit) wrong(r Record) (reasons []string) {
	own := map[string]string{"SESSION_GATE_SESSION": k.Session, "SESSION_GATE_USER": k.User, "SESSION_GATE_PROVIDER": Provider}
	entered := 0
	for _, v := range r.Vars {
		name, value := folded(v[0]), v[1]
		switch {
		case strings.Contains(strings.ToLower(v[0]+value), "forged"):
			reasons = append(reasons, "a forged "+v[0]+" reached the origin")
		case name == "SESSION_GATE_EXPIRES":
		case strings.HasPrefix(name, "SESSION_GATE_"):
			if own[name] != value || value == "" {
				reasons = append(reasons, "the origin is told "+v[0])
			}
			entered++
		case strings.Contains(value, k.Cookie), strings.Contains(value, "eyJ"):
			reasons = append(reasons, "a token reached the origin in "+v[0])
		}
	}
	if entered != 0 && entered != len(own) {
		reasons = append(reasons, "the origin is told a part of an identity")
	}
	if entered > 0 && strings.Contains(r.Target, "nosession") {
		reasons = append(reasons, "a request without a session has an identity")
	}
	if entered == 0 && behindGate(r) {
		reasons = append(reasons, "a request without a session is behind the gate")
	}
	if kind, protocol, ok := strings.Cut(r.Method, " "); ok && !strings.EqualFold(protocol, "websocket") && kind != "TUNNEL" {
		reasons = append(reasons, "the connection changes to "+protocol)
	}
	if strings.HasPrefix(r.Value("version"), "2") {
		reasons = append(reasons, "the origin is asked in HTTP/2")
	}
	return reasons
}

// behindGate reports whether an origin that reads a path as most do would answer with
// what was to be paid for.
func behindGate(r Record) bool {
	if strings.HasPrefix(r.Method, "TUNNEL ") {
		return false // its first record says where it leads
	}
	target := r.Target
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		target = u.EscapedPath()
	}
	target, _, _ = strings.Cut(target, "?")
	plain, err := url.PathUnescape(target)
	if err != nil {
		plain = target
	}
	plain = strings.ReplaceAll(plain, `\`, "/")
	var segments []string
	for segment := range strings.SplitSeq(plain, "/") {
		name, _, _ := strings.Cut(segment, ";") // a matrix parameter, as Java's servers have it
		segments = append(segments, name)
	}
	plain = path.Clean("/" + strings.Join(segments, "/"))
	whole := strings.HasSuffix(strings.ToLower(r.Value("Host")), ".whole.example")
	return strings.HasPrefix(strings.ToLower(plain), "/paid/") || whole && !strings.HasPrefix(plain, "/open/")
}

// origin is the origin with this name.
func (k *Kit) origin(name string) *Origin {
	for _, o := range k.Origins {
		if o.Name == name {
			return o
		}
	}
	return nil
}
