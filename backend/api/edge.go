package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

func (a *api) routeEdge() {
	edge := []service.Role{service.RoleEdge}
	register(a, route{
		method: http.MethodPost, path: protocol.EdgeLaunch, id: "edge-launch", tag: "Edge",
		summary: "Redeem a launch token, once", roles: edge, errors: []int{404, 409},
	}, a.launch)
	a.routeHeartbeats()
	register(a, route{
		method: http.MethodPost, path: protocol.EdgeStates, id: "edge-states", tag: "Edge",
		summary: "Read the live states of sessions", roles: edge, maxBody: maxStatesBody,
	}, a.states)
	register(a, route{
		method: http.MethodPost, path: protocol.EdgeSites, id: "edge-sites", tag: "Edge",
		summary: "Read the site settings of providers", roles: edge, maxBody: maxStreamBody,
	}, a.sites)
	register(a, route{
		method: http.MethodGet, path: protocol.EdgeHosts + "{host}", id: "edge-host", tag: "Edge",
		summary: "Find the provider of a domain", roles: edge, errors: []int{404, 429}, budget: service.HostBudget,
	}, a.host)
	a.routeEvents()
}

type launchInput struct{ Body protocol.LaunchRequest }

type launchOutput struct{ Body protocol.LaunchAnswer }

func (a *api) launch(ctx context.Context, in *launchInput) (*launchOutput, error) {
	answer, err := a.s.Launch(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &launchOutput{Body: answer}, nil
}

type hostInput struct {
	Host string `path:"host" maxLength:"255" example:"app.provider.com"`
}

type hostOutput struct{ Body protocol.HostAnswer }

func (a *api) host(ctx context.Context, in *hostInput) (*hostOutput, error) {
	host, p, err := a.s.Host(ctx, in.Host)
	if err != nil {
		return nil, err
	}
	site := service.SiteState(p)
	return &hostOutput{Body: protocol.HostAnswer{Host: host, ProviderID: p.ID, OriginURL: p.OriginURL, ReturnHosts: p.Policies.ReturnHosts, Site: &site}}, nil
}

type sitesInput struct{ Body protocol.SitesRequest }

type sitesOutput struct{ Body protocol.SitesAnswer }

func (a *api) sites(ctx context.Context, in *sitesInput) (*sitesOutput, error) {
	list, err := a.s.Sites(ctx, in.Body.Providers)
	if err != nil {
		return nil, err
	}
	return &sitesOutput{Body: protocol.SitesAnswer{Sites: list}}, nil
}

type statesInput struct{ Body protocol.StatesRequest }

type statesOutput struct{ Body protocol.StatesAnswer }

func (a *api) states(ctx context.Context, in *statesInput) (*statesOutput, error) {
	answer, err := a.s.States(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &statesOutput{Body: answer}, nil
}

type beatsInput struct{ RawBody []byte }

type beatsOutput struct{ Body protocol.HeartbeatsAnswer }

// routeHeartbeats adds the heartbeat endpoint. Since edges call it all the time, it
// decodes its body directly, which avoids a second decoding by the framework.
func (a *api) routeHeartbeats() {
	r := route{
		method: http.MethodPost, path: protocol.EdgeHeartbeats, id: "edge-heartbeats", tag: "Edge",
		summary: "Report a batch of heartbeats and read changed states", roles: []service.Role{service.RoleEdge}, maxBody: maxBeatsBody,
	}
	op := r.operation(a)
	op.RequestBody = a.bodySchema(a.huma.OpenAPI().Components.Schemas.Schema(typeOf[protocol.HeartbeatsRequest](), true, ""))
	op.SkipValidateBody = true
	op.Middlewares = append(op.Middlewares, func(hc huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(hc)
		next(huma.WithValue(hc, addressKey, a.addressOf(r)))
	})
	huma.Register(a.huma, op, func(ctx context.Context, in *beatsInput) (*beatsOutput, error) {
		var body protocol.HeartbeatsRequest
		// Unknown fields are allowed: a newer edge may send more.
		if p := decode(json.NewDecoder(bytes.NewReader(in.RawBody)), &body); p != nil {
			return nil, p
		}
		if len(body.Beats) > 10_000 || len(body.EdgeID) > 64 || len(body.Pages) > protocol.MaxPages {
			return nil, refusedField("body.beats", "a batch must not exceed 10000 beats or 200 pages, and edge_id must not exceed 64 bytes")
		}
		address, _ := ctx.Value(addressKey).(string)
		answer, err := a.s.Heartbeats(ctx, body, address)
		if err != nil {
			return nil, a.answerOf(ctx, err)
		}
		return &beatsOutput{Body: answer}, nil
	})
}

// decodeStrictly decodes one JSON value and refuses fields that into does not have.
// The problem names fields but never contains values.
func decodeStrictly(body []byte, into any) *problem {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return decode(d, into)
}

// decode decodes one JSON value and refuses anything after it.
func decode(d *json.Decoder, into any) *problem {
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		return refusedField("body", "unexpected data after the JSON value")
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return refusedField("body."+e.Field, "expected "+e.Type.Kind().String())
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return refusedField("body."+strings.Trim(name, `"`), "unexpected property")
	}
	p := newProblem(protocol.InvalidRequest, "The body is not valid JSON.")
	p.Status, p.Title = http.StatusBadRequest, http.StatusText(http.StatusBadRequest)
	return p
}

func refusedField(location, message string) *problem {
	p := newProblem(protocol.InvalidRequest, "Validation failed.")
	p.Errors = []fieldError{{Location: location, Message: message}}
	return p
}

func (a *api) bodySchema(s *huma.Schema) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }
