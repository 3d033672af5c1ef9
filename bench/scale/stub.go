package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessiongate/sessiongate/internal/protocol"
	"github.com/sessiongate/sessiongate/internal/token"
)

// stub answers an edge as the session service does, from memory and at once, so that
// what is measured is the edge. It knows each session by its number.
type stub struct {
	address string
	signer  *token.Signer
	server  *http.Server
	offset  atomic.Int64 // ms that its clock is ahead of this machine's
	ends    int64        // Unix seconds at which the first session ends
	spread  int64        // seconds over which the sessions end

	launches, beats, batches, states atomic.Int64
}

const (
	stubIssuer   = "http://issuer.example"
	stubProvider = "prov_scale"
)

func newStub(ends, spread int64) (*stub, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := token.NewSigner(key)
	if err != nil {
		return nil, err
	}
	s := &stub{signer: signer, ends: ends, spread: spread}
	mux := http.NewServeMux()
	mux.HandleFunc(protocol.JWKS, s.jwks)
	mux.HandleFunc(protocol.EdgeLaunch, s.launch)
	mux.HandleFunc(protocol.EdgeHeartbeats, s.heartbeats)
	mux.HandleFunc(protocol.EdgeStates, s.statesOf)
	mux.HandleFunc(protocol.EdgeEvents, s.events)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address, s.server = l.Addr().String(), &http.Server{Handler: mux}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

func (s *stub) nowMS() int64 { return time.Now().UnixMilli() + s.offset.Load() }

// sessionID is the id of a session by its number, which number returns again.
func sessionID(n int) string { return fmt.Sprintf("sess_%022d", n) }

func number(id string) (n int64) {
	_, _ = fmt.Sscanf(strings.TrimPrefix(id, "sess_"), "%d", &n) // 0 for an id that is not ours
	return n
}

func (s *stub) endOf(n int64) int64 { return s.ends + n%s.spread }

func (s *stub) state(id string) protocol.LiveState {
	ends := s.endOf(number(id))
	return protocol.LiveState{
		ID: id, UserID: "user_" + id[len(id)-8:], ProviderID: stubProvider, Status: protocol.Active, Version: 2,
		ExpiresAt: ends, StartedAt: ends - 86400, DurationLimitSeconds: 86400, TokensAllocated: 10,
		ReturnURL: "http://market.example/done", SettlementPolicy: protocol.SettlementFull, WarningSeconds: []int64{300, 60},
	}
}

// token signs a token of a session.
func (s *stub) token(kind token.Kind, id string) (string, error) {
	st, now := s.state(id), jwt.NewNumericDate(time.Now().Add(-time.Minute))
	return s.signer.Sign(kind, &token.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: stubIssuer, Subject: st.UserID, Audience: jwt.ClaimStrings{stubProvider}, ID: id,
			IssuedAt: now, NotBefore: now, ExpiresAt: jwt.NewNumericDate(time.Unix(st.ExpiresAt, 0)),
		},
		ProviderID: stubProvider, TokensAllocated: st.TokensAllocated, ReturnURL: st.ReturnURL, DurationLimitSeconds: st.DurationLimitSeconds,
	})
}

func (s *stub) jwks(w http.ResponseWriter, _ *http.Request) {
	jwk, err := token.NewJWK(s.signer.Public())
	answer(w, token.JWKS{Keys: []token.JWK{jwk}}, err)
}

func (s *stub) launch(w http.ResponseWriter, r *http.Request) {
	var in protocol.LaunchRequest
	var claims token.Claims
	err := json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		_, _, err = jwt.NewParser().ParseUnverified(in.Token, &claims)
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	signed, err := s.token(token.Session, claims.ID)
	s.launches.Add(1)
	answer(w, protocol.LaunchAnswer{Session: s.state(claims.ID), SessionToken: signed, ServerTimeMS: s.nowMS()}, err)
}

func (s *stub) heartbeats(w http.ResponseWriter, r *http.Request) {
	var in protocol.HeartbeatsRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	s.batches.Add(1)
	for _, b := range in.Beats {
		s.beats.Add(b.Count)
	}
	answer(w, protocol.HeartbeatsAnswer{States: []protocol.LiveState{}, ServerTimeMS: s.nowMS()}, err)
}

func (s *stub) statesOf(w http.ResponseWriter, r *http.Request) {
	var in protocol.StatesRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	out := protocol.StatesAnswer{States: []protocol.LiveState{}, ServerTimeMS: s.nowMS()}
	for _, id := range in.IDs {
		out.States = append(out.States, s.state(id))
	}
	s.states.Add(int64(len(in.IDs)))
	answer(w, out, err)
}

// events is a stream without changes.
func (s *stub) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if _, err := fmt.Fprintf(w, "id: 1\nevent: %s\ndata: {\"server_time_ms\":%d}\n\n", protocol.StreamTime, s.nowMS()); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // a client that is gone
}
