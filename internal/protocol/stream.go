package protocol

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Events of [EdgeEvents]. The ids of the stream are opaque. An edge that reconnects
// with the last id as Last-Event-ID receives every event after it, or [StreamReset]. It
// may ask for other providers than before: an id is a position in the stream of all.
const (
	StreamState = "state" // data: [LiveState]
	StreamSite  = "site"  // data: [SiteState]; older backends send it as [StreamState], older edges do not read it
	StreamReset = "reset" // data: {}; the edge revalidates every session it holds
	StreamTime  = "time"  // data: [StreamTimeData]; sent at once and then every 2 s, so that edges can detect a dead stream
)

// StreamTimeData holds the time of the backend's clock.
type StreamTimeData struct {
	ServerTimeMS int64 `json:"server_time_ms"`
}

const (
	// MaxStreamProviders is the largest number of providers in a [StreamRequest].
	MaxStreamProviders = 2000
	// MaxProviderID is the largest length of a provider's id, in bytes.
	MaxProviderID = 128
)

// StreamRequest opens a stream with the changes of these providers alone; without
// providers, the stream has all changes. Backends that do not have this endpoint answer
// 404 or 405; edges then read the stream of all changes with GET.
type StreamRequest struct {
	Providers []string `json:"providers,omitempty" maxItems:"2000" nullable:"false"`
}

// StateHead is the part of a [LiveState] by which its receiver knows whether the rest
// matters.
type StateHead struct {
	ID         string `json:"id"`
	ProviderID string `json:"provider_id"`
	Status     Status `json:"status"`
	Version    int64  `json:"version"`
}

// HeadOf reads the head of a [LiveState] in JSON. It does not read on to the end if the
// fields are in the order in which this package writes them.
func HeadOf(data []byte) (StateHead, error) {
	if h, ok := quickHead(data); ok {
		return h, nil
	}
	var h StateHead
	err := json.Unmarshal(data, &h)
	return h, err
}

// quickHead reads a head that begins as [LiveState] is written. ok is false for any
// other form.
func quickHead(data []byte) (h StateHead, ok bool) {
	var id, provider, status []byte
	if data, id, ok = plainField(data, `{"id":"`); !ok {
		return h, false
	}
	if data, ok = skipField(data, `,"user_id":"`); !ok {
		return h, false
	}
	if data, provider, ok = plainField(data, `,"provider_id":"`); !ok {
		return h, false
	}
	if data, status, ok = plainField(data, `,"status":"`); !ok {
		return h, false
	}
	digits, ok := bytes.CutPrefix(data, []byte(`,"version":`))
	if !ok {
		return h, false
	}
	end := bytes.IndexAny(digits, ",}")
	if end < 0 {
		return h, false
	}
	version, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	if err != nil {
		return h, false
	}
	return StateHead{ID: string(id), ProviderID: string(provider), Status: Status(status), Version: version}, true
}

// plainField reads a string that is written without escapes.
func plainField(data []byte, prefix string) (rest, value []byte, ok bool) {
	data, ok = bytes.CutPrefix(data, []byte(prefix))
	if !ok {
		return nil, nil, false
	}
	end := bytes.IndexByte(data, '"')
	if end < 0 || !plain(data[:end]) {
		return nil, nil, false
	}
	return data[end+1:], data[:end], true
}

// plain reports whether a string in JSON stands for itself.
func plain(value []byte) bool {
	for _, c := range value {
		if c < ' ' || c >= 0x80 || c == '\\' {
			return false
		}
	}
	return true
}

// skipField skips a string, which may have escapes.
func skipField(data []byte, prefix string) (rest []byte, ok bool) {
	data, ok = bytes.CutPrefix(data, []byte(prefix))
	if !ok {
		return nil, false
	}
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return data[i+1:], true
		}
	}
	return nil, false
}
