package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// tokenStart is how every token begins: `{"` in base64url.
const tokenStart = "eyJ"

const (
	// maxTokenHead is the longest header of a token that is decoded, in characters. Ours
	// have fewer than 150.
	maxTokenHead = 512
	// maxTokenHeads is how many headers of tokens are decoded in one value. A value with
	// more counts as one that holds a token of ours.
	maxTokenHeads = 32
)

// repeatsToken reports whether a value, such as a Referer, holds a token of this service:
// anywhere in it, under any name, and under any number of layers of percent-encoding.
// With damaged, what follows session= and begins as a token counts as well, since it
// probably was one.
func repeatsToken(value string, damaged bool) bool {
	if strings.IndexByte(value, '%') < 0 {
		return holdsToken(value, damaged)
	}
	var room [1 << 10]byte
	plain := appendDecoded(room[:0], value)
	return bytes.Contains(plain, []byte(tokenStart)) && holdsToken(string(plain), damaged)
}

func holdsToken(s string, damaged bool) bool {
	for range maxTokenHeads {
		i := strings.Index(s, tokenStart)
		if i < 0 {
			return false
		}
		head := s[i:min(len(s), i+maxTokenHead)]
		if end := strings.IndexFunc(head, isNotBase64URL); end >= 0 {
			head = head[:end]
		}
		kind, ok := token.KindOf(head)
		switch {
		case ok && isKindOfOurs(kind), !ok && damaged && endsWithLaunchParam(s[:i]):
			return true
		}
		s = s[i+len(tokenStart):]
	}
	return strings.Contains(s, tokenStart)
}

// endsWithLaunchParam reports whether s ends where the value of a parameter "session"
// begins, in any case.
func endsWithLaunchParam(s string) bool {
	const param = protocol.LaunchParam + "="
	at := len(s) - len(param)
	return at >= 0 && strings.EqualFold(s[at:], param) && (at == 0 || strings.IndexByte("?&#;", s[at-1]) >= 0)
}

func isNotBase64URL(c rune) bool { return !isLetterOrDigit(c) && c != '-' && c != '_' }

func isLetterOrDigit(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// appendDecoded appends s to buf without percent-encoding, however often that was
// applied: "%2541" becomes "A". It takes time in proportion to the length of s.
func appendDecoded(buf []byte, s string) []byte {
	for i := range len(s) {
		buf = append(buf, s[i])
		for n := len(buf); n >= 3 && buf[n-3] == '%'; n = len(buf) {
			high, low := hexDigit(buf[n-2]), hexDigit(buf[n-1])
			if high < 0 || low < 0 {
				break
			}
			buf = append(buf[:n-3], byte(high<<4|low))
		}
	}
	return buf
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// repeatsAddress reports whether a header repeats the address of a page with its launch
// token: Referer, and headers of libraries, such as HX-Current-URL and Next-Url. It leaves
// out Authorization and Cookie, which hold credentials; see [takeBearer] and [stripCookies].
func repeatsAddress(name string, values []string) bool {
	if name == "Authorization" || name == "Cookie" {
		return false
	}
	for _, value := range values {
		if repeatsToken(value, true) {
			return true
		}
	}
	return false
}

// withoutRepeatedTokens returns a query without the parameters that hold a token of this
// service in another way than a launch link does: under another name, or in an address
// within the query.
func withoutRepeatedTokens(rawQuery string) string {
	if !strings.Contains(rawQuery, tokenStart) && !strings.Contains(rawQuery, "%") {
		return rawQuery
	}
	kept := make([]string, 0, manyParameters)
	all := true
	for part := range strings.SplitSeq(rawQuery, "&") {
		if repeatsToken(part, false) {
			all = false
			continue
		}
		kept = append(kept, part)
	}
	if all {
		return rawQuery
	}
	return strings.Join(kept, "&")
}

// tokenVar says that a request came with a launch token.
const tokenVar = "session_gate.token"

// leaveOutOfLog keeps a request that came with a launch token out of the access log,
// which has a copy of it from before any handler ran.
func leaveOutOfLog(r *http.Request) {
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	caddyhttp.SetVar(r.Context(), tokenVar, true)
}

// hideAddress keeps a request that is answered here, whatever it asks for, out of the
// access log if its address holds a launch token. For its headers, see [sanitize].
func hideAddress(r *http.Request) {
	if repeatsToken(originalURL(r).RequestURI(), true) {
		leaveOutOfLog(r)
	}
}

// answerError answers in the place of the server if the handler of a request that came
// with a launch token fails. The server, and handle_errors, would log the request as it
// came.
func answerError(logger *zap.Logger, w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil || caddyhttp.GetVar(r.Context(), tokenVar) == nil {
		return err
	}
	status := http.StatusInternalServerError
	if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok && failed.StatusCode != 0 {
		status = failed.StatusCode
	}
	logger.Error("a request that came with a launch token failed", zap.Int("status", status), zap.String("host", r.Host), zap.Error(err))
	w.WriteHeader(status)
	return nil
}
