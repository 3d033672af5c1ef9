// Package token signs and verifies the two JWTs of a session: the launch
// token, which a marketplace puts in a link and an edge redeems once, and the
// session token, which lives in the gate's cookie. Both are ES256, always; a
// token's own header never chooses the algorithm, only the key by its kid.
//
//	claims.go  what a token says
//	sign.go    Signer: the issuer's side
//	verify.go  Verifier: everybody's side
//	keyset.go  KeySet: public keys by kid, as JWKS and back
//	remote.go  RemoteKeys: a key set kept fresh from an issuer, through outages
package token
