package sampleapp

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// traceSeconds is how much of the past the gauges show.
const traceSeconds = 180

// Weather is what the station on the hide reports.
type Weather struct {
	At          time.Time `json:"at"`
	Temperature float64   `json:"temperature_c"`
	Wind        float64   `json:"wind_knots"`
	From        string    `json:"wind_from"`
	Pressure    float64   `json:"pressure_hpa"`
	Tide        float64   `json:"tide_m"`
	Rising      bool      `json:"tide_rising"`
}

// weatherAt is a plausible reading: smooth, a little noisy, the same for all
// who ask at the same time.
func weatherAt(t time.Time) Weather {
	s := float64(t.UnixMilli()) / 1000
	wave := func(period, phase float64) float64 { return math.Sin(2*math.Pi*s/period + phase) }
	points := []string{"N", "NE", "E", "SE", "S", "SW", "W", "NW"}
	return Weather{
		At:          t.UTC().Truncate(time.Second),
		Temperature: round(11.5+3.2*wave(86400, 2)+0.25*wave(47, 0)+0.1*wave(11, 1), 1),
		Wind:        round(math.Max(12+4*wave(3600, 1)+2.2*wave(61, 0)+1.4*wave(17, 2), 0), 1),
		From:        points[int(math.Round(5.6+0.8*wave(5400, 0)+0.25*wave(90, 0)))%len(points)],
		Pressure:    round(1012+6*wave(172800, 0), 1),
		Tide:        round(2.6+1.9*wave(44714, 0)+0.05*wave(9, 0)+0.03*wave(23, 1), 2),
		Rising:      math.Cos(2*math.Pi*s/44714) > 0,
	}
}

func round(x float64, digits int) float64 {
	p := math.Pow10(digits)
	return math.Round(x*p) / p
}

func (a *app) status(w http.ResponseWriter, r *http.Request) {
	a.json(w, r, http.StatusOK, weatherAt(a.config.Now()))
}

func (a *app) live(w http.ResponseWriter, r *http.Request) {
	now := a.config.Now()
	data := struct {
		Now          Weather
		Tides, Winds string // the last traceSeconds, oldest first
	}{Now: weatherAt(now)}
	var tides, winds []string
	for ago := traceSeconds - 1; ago >= 0; ago-- {
		past := weatherAt(now.Add(-time.Duration(ago) * time.Second))
		tides = append(tides, strconv.FormatFloat(past.Tide, 'f', 2, 64))
		winds = append(winds, strconv.FormatFloat(past.Wind, 'f', 1, 64))
	}
	data.Tides, data.Winds = strings.Join(tides, " "), strings.Join(winds, " ")
	a.page(w, r, http.StatusOK, "live", view{Title: "Gauges", Section: "/live", Data: data})
}

// feed streams readings as server-sent events until the client goes.
func (a *app) feed(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	stream := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 2000\n\n"); err != nil {
		return
	}
	tick := time.NewTicker(a.config.Tick)
	defer tick.Stop()
	for n := 1; ; n++ {
		reading, err := json.Marshal(weatherAt(a.config.Now()))
		if err != nil {
			a.config.Logger.Error("encoding a reading", "error", err)
			return
		}
		if _, err := fmt.Fprintf(w, "event: reading\nid: %d\ndata: %s\n\n", n, reading); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
