// Package contrast makes a provider's accent color readable: text on it, and itself on the
// surfaces of our pages, in light and dark. The same rules are in TypeScript for the clock;
// testdata/vectors.json holds both to the same results.
package contrast

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// AA is the contrast that WCAG 2.2 asks of text at level AA.
const AA = 4.5

// Shades are the colors that follow from an accent in one color scheme, as #rrggbb.
type Shades struct {
	// The accent itself, as the background of buttons.
	Fill string `json:"fill"`
	// Text on Fill: black or white.
	Ink string `json:"ink"`
	// The accent for text, lines and focus rings on the page: as near to it as [AA] allows.
	Text string `json:"text"`
	// A tint of the surface, as the background of pictures.
	Soft string `json:"soft"`
}

// scheme is the surfaces of a color scheme, from sdk-inject/src/tokens.css.
type scheme struct {
	surfaces [2]color // the page, and what stands on it
	toward   color    // where a color goes that has too little contrast
	tint     float64  // the part of the accent in Soft
}

var (
	black = color{0, 0, 0}
	white = color{255, 255, 255}

	light = scheme{surfaces: [2]color{{0xf6, 0xf6, 0xf3}, white}, toward: black, tint: 0.12}
	dark  = scheme{surfaces: [2]color{{0x12, 0x14, 0x17}, {0x1b, 0x1e, 0x23}}, toward: white, tint: 0.2}
)

// For returns the shades of an accent for light and dark pages. Every color has some: the
// only error is an accent that is not #rrggbb.
func For(accent string) (onLight, onDark Shades, err error) {
	c, err := parse(accent)
	if err != nil {
		return Shades{}, Shades{}, err
	}
	return light.shades(c), dark.shades(c), nil
}

// Ratio returns the contrast of two colors, from 1 to 21. It returns 0 if one of them is
// not #rrggbb.
func Ratio(a, b string) float64 {
	one, err1 := parse(a)
	other, err2 := parse(b)
	if err1 != nil || err2 != nil {
		return 0
	}
	return ratio(one, other)
}

func (s scheme) shades(accent color) Shades {
	ink := white
	if ratio(accent, white) < ratio(accent, black) {
		ink = black
	}
	text := accent
	for step := 1; step <= 20 && (ratio(text, s.surfaces[0]) < AA || ratio(text, s.surfaces[1]) < AA); step++ {
		text = mix(accent, s.toward, float64(step)/20)
	}
	return Shades{Fill: accent.String(), Ink: ink.String(), Text: text.String(), Soft: mix(s.surfaces[1], accent, s.tint).String()}
}

type color [3]uint8

var errNoColor = errors.New("accent must be a color such as #0f6b5c")

func parse(hex string) (c color, err error) {
	digits, ok := strings.CutPrefix(hex, "#")
	if !ok || len(digits) != 6 {
		return c, errNoColor
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil {
		return c, errNoColor
	}
	return color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// String returns the color as #rrggbb.
func (c color) String() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// mix goes a part of the way from one color to another.
func mix(from, to color, part float64) (c color) {
	for i := range c {
		c[i] = uint8(math.Floor(float64(from[i]) + (float64(to[i])-float64(from[i]))*part + 0.5))
	}
	return c
}

// ratio is the contrast ratio of WCAG 2.2.
func ratio(a, b color) float64 {
	one, other := luminance(a), luminance(b)
	return (max(one, other) + 0.05) / (min(one, other) + 0.05)
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(c color) float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}
