package sampleapp

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	seasonRows   = 120_000 // a reading every ninety seconds since spring: 5 MB
	seasonChunks = 120
)

// download sends the season's readings in equal chunks over DownloadFor, as a
// slow database would. Its length is not known beforehand.
func (a *app) download(w http.ResponseWriter, r *http.Request) {
	pause := a.config.DownloadFor / seasonChunks
	if r.URL.Query().Get("fast") == "1" {
		pause = 0
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="saltmarsh-season.csv"`)
	h.Set("Cache-Control", "no-store")

	stream := http.NewResponseController(w)
	first := a.config.Now().UTC().Truncate(time.Hour).Add(-seasonRows * 90 * time.Second)
	var b bytes.Buffer
	b.WriteString("at,temperature_c,wind_knots,wind_from,tide_m\n")
	for chunk := range seasonChunks {
		for i := range seasonRows / seasonChunks {
			at := weatherAt(first.Add(time.Duration(chunk*seasonRows/seasonChunks+i) * 90 * time.Second))
			fmt.Fprintf(&b, "%s,%.1f,%.1f,%s,%.2f\n", at.At.Format(time.RFC3339), at.Temperature, at.Wind, at.From, at.Tide)
		}
		if _, err := w.Write(b.Bytes()); err != nil {
			return
		}
		b.Reset()
		if err := stream.Flush(); err != nil {
			return
		}
		if pause == 0 {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
	}
}

// whoami shows the request as it reached this server.
func (a *app) whoami(w http.ResponseWriter, r *http.Request) {
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[name] = strings.Join(values, ", ")
	}
	a.json(w, r, http.StatusOK, map[string]any{
		"method": r.Method, "host": r.Host, "path": r.URL.Path, "query": r.URL.RawQuery,
		"protocol": r.Proto, "headers": headers,
	})
}

// slow answers late.
func (a *app) slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 0 || ms > 60_000 {
		a.json(w, r, http.StatusBadRequest, map[string]string{"error": "ms must be 0 to 60000"})
		return
	}
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(ms) * time.Millisecond):
		a.json(w, r, http.StatusOK, map[string]int{"waited_ms": ms})
	}
}
