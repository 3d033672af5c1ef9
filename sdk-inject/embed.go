// Package sdkinject holds the built browser side, ready to serve: boot.js, which
// the gate writes into pages, and the parts that it loads. The sources are the
// TypeScript beside it; dist is committed, so that Go builds need no Node.
//
// A file is served under a name that carries the hash of its content
// (boot.3fa9c1d2.js) and may be cached for ever. The parts name one another by
// tokens (__SDK__, __CHIP_DE__), which are filled in here, from the last loaded
// to the first: each hash covers those of everything below it. integrity.js and
// boot.js also hold the integrity of what they load (__HASH_OF_SDK__), for pages
// whose Integrity-Policy demands it of every script.
package sdkinject

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// contentType is that of every part; module scripts are refused without one.
const contentType = "text/javascript; charset=utf-8"

// hashLength is that of the hexadecimal hash in a name: short, since a clash
// only matters between two versions of one part.
const hashLength = 8

//go:embed dist/*.js
var dist embed.FS

//go:embed src/tokens.css
var tokensCSS string

// Asset is one file that the gate serves below /.session-gate/.
type Asset struct {
	// With its hash: "boot.3fa9c1d2.js". No folder.
	Name string
	// The file, and the same compressed. Read only.
	Body []byte
	Gzip []byte
	// Always text/javascript; nosniff is safe to send.
	ContentType string
	// For a script's integrity attribute: "sha384-…".
	Integrity string
	// Whether the name asked for is the current one. Only then is the answer
	// immutable; otherwise send no-cache, since the name promised other bytes.
	Exact bool
}

// parts in the order in which their hashes can be known.
var parts = []string{
	"words-de", "words-fr", "words-es", "words-pt", "words-ja", "words-zh", "words-ar",
	"chip-de", "chip-fr", "chip-es", "chip-pt", "chip-ja", "chip-zh", "chip-ar",
	"languages", "move", "site", "actions", "dialog", "sdk", "integrity", "boot",
}

// assets by base name ("boot"). Built once and never changed.
var assets = build()

// Boot is the script that pages carry.
func Boot() Asset { return assets["boot"] }

// Assets are all files, in no promised order.
func Assets() []Asset {
	list := make([]Asset, 0, len(parts))
	for _, base := range parts {
		list = append(list, assets[base])
	}
	return list
}

// Find is the asset of that name, given without its folder. A known part with
// another hash ("boot.00000000.js", from a page cached before an upgrade), or
// with none, yields the current one with Exact unset: an old page still gets a
// working script.
func Find(name string) (Asset, bool) {
	base, rest, _ := strings.Cut(name, ".")
	asset, known := assets[base]
	if !known {
		return Asset{}, false
	}
	if name == asset.Name {
		return asset, true
	}
	if rest != "js" && !isHashed(rest) {
		return Asset{}, false
	}
	asset.Exact = false
	return asset, true
}

// TokensCSS is the style sheet of colors, spaces and type that all our pages share.
func TokensCSS() string { return tokensCSS }

// isHashed reports whether rest is "<hexadecimal>.js". The length is left open:
// a later version may hash longer.
func isHashed(rest string) bool {
	hash, found := strings.CutSuffix(rest, ".js")
	if !found || len(hash) < hashLength || len(hash) > sha256.Size*2 {
		return false
	}
	return strings.Trim(hash, "0123456789abcdef") == ""
}

func build() map[string]Asset {
	made := make(map[string]Asset, len(parts))
	for _, base := range parts {
		body, err := dist.ReadFile("dist/" + base + ".js")
		if err != nil { // a part is missing from the committed build
			panic(fmt.Sprintf("sdkinject: reading %s: %v", base, err))
		}
		for _, below := range made {
			name := token(below.Name)
			body = bytes.ReplaceAll(body, append([]byte("__HASH_OF"), name[1:]...), []byte(below.Integrity))
			body = bytes.ReplaceAll(body, name, []byte(below.Name))
		}
		made[base] = newAsset(base, body)
	}
	return made
}

// token stands for the named file in the parts that load it: "__CHIP_DE__".
func token(name string) []byte {
	base, _, _ := strings.Cut(name, ".")
	return []byte("__" + strings.ToUpper(strings.ReplaceAll(base, "-", "_")) + "__")
}

func newAsset(base string, body []byte) Asset {
	sum, integrity := sha256.Sum256(body), sha512.Sum384(body)
	return Asset{
		Name:        base + "." + hex.EncodeToString(sum[:])[:hashLength] + ".js",
		Body:        body,
		Gzip:        compress(body),
		ContentType: contentType,
		Integrity:   "sha384-" + base64.StdEncoding.EncodeToString(integrity[:]),
		Exact:       true,
	}
}

// compress gives the same bytes every time: the header names no time and no file.
func compress(body []byte) []byte {
	var packed bytes.Buffer
	// Neither call can fail: the level is valid and a Buffer takes every write.
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, _ = w.Write(body)
	_ = w.Close()
	return packed.Bytes()
}
