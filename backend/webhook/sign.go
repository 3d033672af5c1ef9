package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of the Standard Webhooks specification.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	secretPrefix = "whsec_"
	secretBytes  = 32
)

// ErrSecret is returned for a secret that is not one of ours.
var ErrSecret = errors.New("a webhook secret must be whsec_ followed by base64")

// NewSecret makes a secret of 256 random bits.
func NewSecret() string {
	key := make([]byte, secretBytes)
	rand.Read(key) // never fails, by its contract
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// Sign is the signature of one attempt: "v1," and the base64 of HMAC-SHA256
// over id, time and body. The time is signed so that an old call cannot be sent
// again by others.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok {
		return "", ErrSecret
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) == 0 {
		return "", ErrSecret // err might quote the secret
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// setHeaders signs with every secret: while one replaces another, receivers
// that know either accept.
func setHeaders(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		s, err := Sign(secret, id, at, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, s)
	}
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(HeaderSignature, strings.Join(signatures, " "))
	return nil
}
