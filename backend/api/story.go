package api

import (
	"encoding/json"
	"maps"
	"net/http"

	"github.com/sessiongate/sessiongate/backend/service"
	"github.com/sessiongate/sessiongate/internal/protocol"
)

// The examples of the document tell one sale. On 15 January 2027 at 08:00:00 UTC
// a marketplace credits user_7 with 500 tokens and sells the user an hour at
// prov_demo for all of them. The session starts at the next full second, may be
// extended by 5 minutes for 50 tokens, and is completed after half an hour: with
// prorated settlement, 250 tokens are captured and 250 released.
const (
	soldAt     = 1_800_000_000
	startedAt  = soldAt + 1
	expiresAt  = startedAt + 3600
	readAt     = soldAt + 600 // when the session is read
	endedAt    = startedAt + 1800
	registered = soldAt - 30*24*3600

	storySession  = "0198c5d2-7b51-7c3e-9a55-0d6a6f0c8e11"
	storyKey      = "0198c5d2-1a02-7d11-8c3b-5e7f90a1b2c3"
	storyWebhook  = "wh_7x3kq2m5n4p6r8s9t2va"
	storyMessage  = "msg_" + storySession + "_4"
	storyPass     = "pass_0198c5d2-5e46-7155-a07f-92b3c4d5e6f7"
	storyDelivery = storyMessage + "." + storyWebhook
	storyReturn   = "https://market.example/done"
	storyKID      = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	// A published key pair that is not in use: the key of RFC 7515, appendix A.3.
	storyX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	storyY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
)

type object = map[string]any

// with returns o with some fields changed.
func (told story) with(more object) object {
	out := maps.Clone(object(told))
	maps.Copy(out, more)
	return out
}

type story object

var (
	storyOffer = story{"additional_seconds": 300, "tokens": 50, "max_count": 2}
	storyPause = story{"max_count": 2, "max_seconds": 600}
	// The state that an edge has after the launch.
	storyState = story{
		"id": storySession, "user_id": "user_7", "provider_id": "prov_demo", "status": "active", "version": 2,
		"expires_at": expiresAt, "started_at": startedAt, "duration_limit_seconds": 3600, "tokens_allocated": 500,
		"return_url": storyReturn, "warning_seconds": []int{300, 60}, "extension": object(storyOffer), "pause": object(storyPause),
	}
	storySale     = story{"kind": "sale", "by": "marketplace", "purchased_at": soldAt, "seconds": 3600, "tokens": 500}
	storySold     = storyState.with(object{"version": 1, "mode": "live", "marketplace_id": "mkt_default", "clock": "creation", "created_at": soldAt, "unentered": "capture", "purchases": []object{object(storySale)}})
	storyActive   = story(story(storySold).with(object{"version": 2, "entered_at": soldAt + 5}))
	storyPaused   = storyActive.with(object{"status": "paused", "version": 3, "paused_at": readAt, "pause": storyPause.with(object{"used": 1})})
	storyResumed  = storyActive.with(object{"version": 4, "expires_at": expiresAt + 60, "pause": storyPause.with(object{"used": 1})})
	storyExtended = storyActive.with(object{"version": 3, "expires_at": expiresAt + 300, "duration_limit_seconds": 3900, "tokens_allocated": 550, "extension": storyOffer.with(object{"used": 1}),
		"purchases": []object{object(storySale), {"kind": "extension", "by": "user", "purchased_at": readAt, "seconds": 300, "tokens": 50}}})
	storyRelaunched = storyActive.with(object{"version": 3, "relaunches": 1})
	storyCompleted  = storyEnded("completed", "completed")
	storyRevoked    = storyActive.with(object{
		"status": "revoked", "version": 4, "ended_at": readAt, "end_reason": "chargeback",
		"settlement": object{"captured": 0, "released": 500, "used_seconds": 599, "reason": "chargeback", "settled_at": readAt},
		"purchases":  []object{storySale.with(object{"used_seconds": 599, "captured": 0, "released": 500})},
	})
	storyBought = object{"by": "user", "additional_seconds": 300, "tokens_deducted": 50, "extended_at": readAt}
	storyLaunch = "eyJhbGciOiJFUzI1NiIs…"

	storyHold   = object{"id": "hold:" + storySession, "kind": "hold", "amount": 500, "debit": "user:user_7:available", "credit": "user:user_7:held", "session_id": storySession, "provider_id": "prov_demo", "at": soldAt}
	storyCredit = object{"id": "credit:0198c5d2-6f00-7a10-9b21-2c4d6e8f0a1b", "kind": "credit", "amount": 500, "debit": "issue", "credit": "user:user_7:available", "at": soldAt - 60}
	storyDone   = object{
		"id": storyDelivery, "webhook_id": storyWebhook, "message_id": storyMessage, "type": "session.ended", "session_id": storySession,
		"status": "delivered", "attempts": 1, "last_status": 204, "created_at": endedAt, "done_at": endedAt + 1,
	}
	storyAttempt = object{"attempt": 1, "at": endedAt, "took_ms": 84, "status": 204, "response": ""}
)

// storyEnded returns the session when it has ended after half an hour.
func storyEnded(status, reason string) object {
	return storyActive.with(object{
		"status": status, "version": 4, "ended_at": endedAt, "end_reason": reason,
		"settlement": object{"captured": 250, "released": 250, "used_seconds": 1800, "reason": reason, "settled_at": endedAt},
		"purchases":  []object{storySale.with(object{"used_seconds": 1800, "captured": 250, "released": 250})},
	})
}

// actedExample returns the response of an action at a time.
func actedExample(session object, at int64) object {
	return object{"session": session, "server_time_ms": at*1000 + 500}
}

// samples are the examples of fields without a more specific one, by field name.
var samples = object{
	"id": storySession, "session_id": storySession, "marketplace_id": "mkt_default", "item": "app_url", "items": []string{"app_url"}, "link_id": storyKey, "jti": storySession, "user_id": "user_7", "provider_id": "prov_demo", "key_id": storyKey,
	"return_url": storyReturn, "token": storyLaunch, "session_token": storyLaunch, "redemption_id": "5f0c1d2e3b4a59687766",
	"host": "app.provider.com", "origin_url": "http://127.0.0.1:3000", "edge_id": "4ZQ7XK2M5N4P6R8S9T2VA3BCDE", "kid": storyKID,
	"server_time_ms": readAt*1000 + 500, "timestamp": readAt*1000 + 500, "at_ms": readAt*1000 + 500, "at": readAt, "as_of": readAt, "last_at": readAt,
	"created_at": soldAt, "started_at": startedAt, "expires_at": expiresAt, "version": 2, "url": "https://hooks.provider.com/sessiongate",
	"additional_seconds": 300, "tokens_to_deduct": 50, "max_count": 2, "max_seconds": 600, "tokens": 50, "overlap_seconds": 86400,
	"replayed": 1, "name": "Demo app", "path": "/orders/…", "count": 12, "outcome": "prefix", "warning_second": 300,
	"return_host": "market.example", "event": "session.ended", "domain": "app.provider.com", "app_url": "https://app.provider.com/",
}

var storyProvider = object{
	"id": "prov_demo", "name": "Demo app", "domains": []string{"app.provider.com"}, "domain_states": object{"app.provider.com": "proven"}, "origin_url": "http://127.0.0.1:3000",
	"app_url": "https://app.provider.com/", "policies": storyPolicies, "site": siteBodyOf(service.FullSite(service.Provider{Site: storySite.Site})), "site_overrides": []string{}, "created_at": registered, "updated_at": registered,
}

const storyCNAME = "k3v9q2m5n4p6r7s2t4va5x3kzw.edge.example.com"

// storyDNS is the domain as a check found it that saw its record at provenAt.
func storyDNS(state, found string, provenAt int64) object {
	return object{
		"domain": "app.provider.com", "zone": "provider.com", "label": "app", "note": "",
		"records": []object{{"type": "CNAME", "name": "app.provider.com", "value": storyCNAME}},
		"text":    object{"type": "TXT", "name": "_sessiongate.app.provider.com", "value": "k3v9q2m5n4p6r7s2t4va5x3kzw"},
		"state":   state, "claimed_at": registered, "checked_at": readAt, "proven_at": provenAt, "missing_since": 0, "next_check_at": readAt + 60, "found": found,
	}
}

var storyPolicies = object{
	"settlement": "prorated", "pause": object(storyPause), "warning_seconds": []int{300, 60}, "launch_window_seconds": 900,
	"return_hosts": []string{"market.example"},
}

var storySite = protocol.SiteState{
	ID: protocol.SiteIDPrefix + "prov_demo", ProviderID: "prov_demo", Version: 1,
	Site: protocol.Site{
		OpenPaths:   []string{"/robots.txt", "/hooks/*"},
		Maintenance: &protocol.Maintenance{Message: "Back at nine.", Until: readAt + 3600},
	},
}

// schemaExamples are the examples of components, by name.
var schemaExamples = map[string]any{
	"SessionBody": object(storyActive), "LiveState": object(storyState), "Extension": object(storyOffer), "OfferBody": object(storyOffer), "PauseRight": object(storyPause),
	"Pauses": object(storyPause), "ProviderBody": storyProvider, "Policies": storyPolicies, "ExtensionBody": storyBought,
	"MarketplaceBody": object{"id": "mkt_books", "name": "Books & More", "created_at": registered},
	"PassBody": object{
		"id": storyPass, "provider_id": "prov_demo", "kind": "preview", "label": "Landing page", "created_by": storyKey, "created_at": registered,
		"expires_at": registered + 30*24*3600, "entries": 3, "last_used_at": soldAt,
	},
	"GuestChangeBody": object{"item": "app_url", "link_id": storyKey, "at": registered},
	"EntryBody":       storyHold, "DeliveryBody": storyDone, "AttemptBody": storyAttempt,
	"ApiKeyBody": object{
		"id": storyKey, "kind": "key", "hint": "sg_prv_7x3k", "role": "provider", "provider_id": "prov_demo", "name": "billing server",
		"created_at": registered, "last_used_at": soldAt,
	},
	"PersonBody": object{
		"id": "0198c5d2-2b13-7e22-9d4c-6f80a1b2c3d4", "email": "ada@example.com", "role": "provider", "provider_id": "prov_demo",
		"created_at": registered, "last_seen_at": soldAt,
	},
	"WebhookBody": object{
		"id": storyWebhook, "url": "https://hooks.provider.com/sessiongate", "mode": "live", "events": []string{"session.ended", "session.started"},
		"description": "billing", "enabled": true, "created_at": registered, "updated_at": registered,
	},
	"AuditBody": object{
		"id": "0198c5d2-3c24-7f33-8e5d-7091b2c3d4e5", "at": registered, "actor": storyKey, "action": "update-provider", "target": "prov_demo",
		"request_id": "q7x3kq2m5n4p6r8s9t2va3bcde",
		"changes":    []object{{"field": "site.max_sessions", "before": 0, "after": 20}},
	},
	"SigningKeyBody": object{"kid": storyKID, "state": "current", "created_at": registered},
	"JWK":            object{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": storyKID, "x": storyX, "y": storyY},
	"EdgeBody": object{
		"id": "4ZQ7XK2M5N4P6R8S9T2VA3BCDE", "version": "v1.0.0", "started_at": registered, "last_seen_at": readAt, "live_sessions": 1,
		"stream_lag_ms": 900, "addresses": []string{"203.0.113.7"},
		"site_options": []object{{"provider_id": "prov_demo", "options": []string{"cookie"}}},
	},
	"EdgeReport": object{"version": "v1.0.0", "started_at": registered, "live_sessions": 1, "stream_lag_ms": 900},
	"Heartbeat":  object{"id": storySession, "version": 2, "at": readAt, "active": true, "count": 1},
	"PageEvent":  object{"name": "page_view", "at": readAt * 1000, "props": object{"path": "/orders"}},
	"PageBody": object{
		"host": "app.provider.com", "path": "/orders/…", "outcome": "no_transform", "injected": false, "count": 12, "last_at": readAt,
		"remedy": "The page forbids changes with Cache-Control: no-transform. Remove no-transform from the app's Cache-Control header.",
	},
	"PageReport": object{"provider_id": "prov_demo", "host": "app.provider.com", "path": "/orders/…", "outcome": "no_transform", "count": 12, "last_at": readAt},
	"CheckBody":  object{"name": "gate", "grade": "ok", "found": "the gate answers on its address", "remedy": ""},
	"LiveCounts": object{"active": 1, "paused": 0, "pending": 0},
	"SessionDay": storyDay.with(object{"date": storyDate}),
	"RevenueDay": storyRevenue.with(object{"date": storyDate}),
	"UserDay":    storyUsers.with(object{"date": storyDate}),
	"UserEventBody": object{
		"session_id": storySession, "source": "session", "name": "started", "at_ms": soldAt * 1000, "props": object{"status": "active", "version": 1},
	},
	"FieldError": object{"location": "body.user_id", "message": "expected length >= 1"},
}

const storyDate = "2027-01-15"

// The figures of that day, once the session was completed.
var (
	storyDay = story{
		"sessions": 1, "entered": 1, "completed": 1, "expired": 0, "revoked": 0, "canceled": 0, "tokens_allocated": 500,
		"paid_seconds": 3600, "used_seconds": 1800, "extensions": 0,
	}
	storyRevenue = story{"settlements": 1, "captured": 250, "released": 250, "held": 500}
	storyUsers   = story{"users": 1, "new_users": 1, "returning": 0}
)

// storyAnalysis is an analysis of that day.
func storyAnalysis(day story) object {
	return object{
		"provider_id": "prov_demo", "from": storyDate, "to": storyDate, "as_of": endedAt + 30,
		"days": []object{day.with(object{"date": storyDate})}, "total": object(day),
	}
}

// requestExamples are the request bodies of operations.
var requestExamples = map[string]any{
	"create-session": object{
		"user_id": "user_7", "provider_id": "prov_demo", "tokens_allocated": 500, "duration_limit_seconds": 3600, "return_url": storyReturn,
		"extension": object(storyOffer),
	},
	"advance-session":    object{"seconds": 3540},
	"create-pass":        object{"kind": "preview", "label": "Landing page", "expires_in_seconds": 30 * 24 * 3600},
	"create-api-key":     object{"role": "provider", "provider_id": "prov_demo", "name": "billing server"},
	"create-marketplace": object{"id": "mkt_books", "name": "Books & More"},
	"create-person":      object{"email": "ada@example.com", "role": "provider", "provider_id": "prov_demo"},
	"update-provider":    object{"name": "Demo app", "domains": []string{"app.provider.com"}, "site": object{"open_paths": []string{"/robots.txt", "/hooks/*"}}},
	"edge-sites":         object{"providers": []string{"prov_demo"}},
	"update-webhook":     object{"events": []string{"session.ended", "session.started"}, "enabled": true},
	"create-webhook":     object{"url": "https://hooks.provider.com/sessiongate", "events": []string{"session.ended", "session.started"}, "description": "billing"},
	"test-webhook":       object{"webhook_id": storyWebhook, "type": "webhook.test"},
	"replay-deliveries":  object{"since": soldAt, "until": soldAt + 3600, "only_failed": true},
	"extend-session":     object{"additional_seconds": 300, "tokens_to_deduct": 50},
	"revoke-session":     object{"refund": "full", "reason": "chargeback"},
	"credit-user":        object{"amount": 500},
}

// answerExamples are the bodies of successful responses.
var answerExamples = map[string]any{
	"create-pass": object{
		"id": storyPass, "provider_id": "prov_demo", "kind": "preview", "label": "Landing page", "created_by": storyKey, "created_at": registered,
		"expires_at": registered + 30*24*3600, "entries": 0, "url": "https://api.example.com/auth/pass#sg_pass_…",
	},
	"advance-session":   actedExample(storyActive.with(object{"mode": "test"}), readAt),
	"create-session":    object{"session": storySold, "token": storyLaunch, "launch_url": "https://app.provider.com/?session=" + storyLaunch},
	"launch-session":    object{"session": object(storyActive), "session_token": storyLaunch, "server_time_ms": (soldAt+2)*1000 + 500},
	"relaunch-session":  object{"session": storyRelaunched, "token": storyLaunch, "launch_url": "https://app.provider.com/?session=" + storyLaunch},
	"extend-session":    actedExample(storyExtended, readAt),
	"pause-session":     actedExample(storyPaused, readAt),
	"resume-session":    actedExample(storyResumed, readAt+60),
	"end-session":       actedExample(storyEnded("completed", "user_ended"), endedAt),
	"complete-session":  actedExample(storyCompleted, endedAt),
	"revoke-session":    actedExample(storyRevoked, readAt),
	"heartbeat-session": object{"acknowledged": true, "remaining_seconds": expiresAt - readAt, "status": "active", "version": 2, "expires_at": expiresAt, "server_time_ms": readAt*1000 + 500},
	"validate-session":  object{"valid": true, "session": object(storyActive), "server_time_ms": readAt*1000 + 500},
	"get-session-timeline": object{"session_id": storySession, "entries": []object{
		{"at_ms": soldAt * 1000, "kind": "session", "name": "started", "detail": object{"status": "active", "version": 1}},
		{"at_ms": soldAt * 1000, "kind": "ledger", "name": "hold", "detail": object{"amount": 500, "debit": "user:user_7:available", "credit": "user:user_7:held"}},
		{"at_ms": soldAt*1000 + 1800, "kind": "session", "name": "redeemed", "detail": object{"status": "active", "version": 2}},
	}},
	"edge-launch":     object{"session": object(storyState), "session_token": storyLaunch, "server_time_ms": soldAt*1000 + 1800},
	"edge-heartbeats": object{"states": []object{object(storyState)}, "server_time_ms": readAt*1000 + 500},
	"edge-states":     object{"states": []object{object(storyState)}, "server_time_ms": readAt*1000 + 500},
	"edge-host":       object{"host": "app.provider.com", "provider_id": "prov_demo", "origin_url": "http://127.0.0.1:3000", "return_hosts": []string{"market.example"}, "site": storySite},
	"edge-sites":      object{"sites": []protocol.SiteState{storySite}},

	"credit-user": object{"user_id": "user_7", "available": 500, "held": 0},
	"get-balance": object{"user_id": "user_7", "available": 0, "held": 500},
	"list-ledger": object{"entries": []object{storyHold, storyCredit}},
	"export-user": object{
		"user_id": "user_7", "available": 0, "held": 500, "sessions": []object{object(storyActive)}, "ledger": []object{storyHold, storyCredit},
		"events": []object{{"session_id": storySession, "source": "session", "name": "started", "at_ms": soldAt * 1000, "props": object{"status": "active", "version": 1}}},
	},
	"get-me": object{
		"role": "provider", "provider_id": "prov_demo", "name": "billing server", "person": false, "key_id": storyKey, "guest": false,
		"provider": storyProvider,
	},
	"create-portal-link": object{
		"id": "0198c5d2-4d35-7044-9f6e-81a2c3d4e5f6", "provider_id": "prov_demo", "url": "https://api.example.com/auth/portal#sg_link_…",
		"expires_at": soldAt + 86400,
	},
	"get-stats": object{
		"provider_id": "prov_demo", "as_of": readAt, "live": object{"active": 1, "paused": 0, "pending": 0},
		"today": object{"sessions": 1, "users": 1, "captured": 0}, "total": object{"sessions": 1, "users": 1, "captured": 0, "released": 0, "used_seconds": 0},
	},
	"get-sessions-analytics": storyAnalysis(storyDay),
	"get-revenue-analytics":  storyAnalysis(storyRevenue),
	"get-users-analytics":    storyAnalysis(storyUsers),
	"get-events-analytics": object{
		"provider_id": "prov_demo", "from": storyDate, "to": storyDate, "as_of": readAt,
		"events": []object{{"date": storyDate, "name": "page_view", "events": 12, "sessions": 1}},
		"totals": []object{{"name": "page_view", "events": 12, "sessions": 1}},
	},
	"check-provider":    object{"url": "https://app.provider.com/", "at": readAt, "failed": 0, "checks": []any{object{"name": "gate", "grade": "ok", "found": "the gate answers on its address", "remedy": ""}}},
	"get-dns-records":   object{"edge_hosts": []string{"edge.example.com"}, "domains": []object{storyDNS("proven", "CNAME "+storyCNAME, readAt)}},
	"check-dns-records": object{"edge_hosts": []string{"edge.example.com"}, "domains": []object{storyDNS("proven", "CNAME "+storyCNAME, readAt)}},
	"vouch-for-domain":  object{"domain": "app.provider.com", "state": "vouched"}, "unvouch-for-domain": object{"domain": "app.provider.com", "state": "pending"},
	"get-public-key": object{"algorithm": "ES256", "kid": storyKID, "key": "-----BEGIN PUBLIC KEY-----\n" +
		"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n-----END PUBLIC KEY-----\n"},
	"get-delivery": object{"delivery": storyDone, "attempts": []object{storyAttempt}, "payload": payloadExample("session.ended")},
	"test-webhook": object{
		"delivered": true, "attempt": object{"attempt": 1, "at": readAt, "took_ms": 84, "status": 204, "response": ""},
		"delivery": object{
			"id": "msg_test_q2m5n4p6r8s9t2va7x3k." + storyWebhook, "webhook_id": storyWebhook, "message_id": "msg_test_q2m5n4p6r8s9t2va7x3k", "type": "webhook.test",
			"status": "delivered", "attempts": 1, "last_status": 204, "created_at": readAt, "done_at": readAt + 1,
		},
	},
	"rotate-webhook-secret": object{
		"webhook": object{
			"id": storyWebhook, "url": "https://hooks.provider.com/sessiongate", "mode": "live", "events": []string{"session.ended", "session.started"},
			"description": "billing", "enabled": true, "created_at": registered, "updated_at": readAt,
		},
		"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "old_secret_until": readAt + 86400,
	},
}

// payloadExample returns a message as a webhook receives it.
func payloadExample(kind string) string {
	text, _ := json.Marshal(messageExamples[kind]) // strings and numbers: cannot fail
	return string(text)
}

// messageExamples are the messages that webhooks receive, by type.
var messageExamples = map[string]any{
	"session.started":  messageExample("session.started", "2027-01-15T08:00:00.4Z", object{"session": storySold}),
	"session.warning":  messageExample("session.warning", "2027-01-15T08:55:01Z", object{"session": storyActive.with(object{"version": 3}), "remaining_seconds": 300}),
	"session.extended": messageExample("session.extended", "2027-01-15T08:10:00.5Z", object{"session": storyExtended, "extension": storyBought}),
	"session.paused":   messageExample("session.paused", "2027-01-15T08:10:00.5Z", object{"session": storyPaused}),
	"session.resumed":  messageExample("session.resumed", "2027-01-15T08:11:00.5Z", object{"session": storyResumed}),
	"session.ended":    messageExample("session.ended", "2027-01-15T08:30:01.5Z", object{"session": storyCompleted}),
	"webhook.disabled": messageExample("webhook.disabled", "2027-01-15T08:10:00.5Z", object{
		"webhook_id": storyWebhook, "url": "https://hooks.provider.com/sessiongate", "reason": "failing", "failing_since": readAt - 5*24*3600,
	}),
	"webhook.test": messageExample("webhook.test", "2027-01-15T08:10:00.5Z", object{"webhook_id": storyWebhook, "test": true}),
}

func messageExample(kind, at string, data object) object {
	if data["session"] != nil {
		return object{"type": kind, "timestamp": at, "mode": "live", "data": data}
	}
	return object{"type": kind, "timestamp": at, "data": data}
}

// problemExamples are refusals by status, without the status itself.
var problemExamples = map[int]object{
	http.StatusBadRequest:            {"code": protocol.InvalidRequest, "detail": "The body is not valid JSON."},
	http.StatusUnauthorized:          {"code": protocol.Unauthorized, "detail": "The API key is unknown or revoked."},
	http.StatusPaymentRequired:       {"code": protocol.InsufficientTokens, "detail": "The user does not have enough available tokens."},
	http.StatusForbidden:             {"code": protocol.Forbidden, "detail": "Callers with the role edge may not do this."},
	http.StatusNotFound:              {"code": protocol.NotFound, "detail": "Resource not found."},
	http.StatusConflict:              {"code": protocol.IdempotencyConflict, "detail": "This Idempotency-Key was already used for a different request. Use a new key."},
	http.StatusRequestEntityTooLarge: {"code": protocol.TooLarge, "detail": "The body is too large."},
	http.StatusUnprocessableEntity:   {"code": protocol.InvalidRequest, "detail": "Validation failed."},
	http.StatusTooManyRequests:       {"code": protocol.RateLimited, "detail": "Too many requests. Try again later."},
	http.StatusInternalServerError:   {"code": protocol.Internal, "detail": "Internal error. The server's log has the details under this request's id."},
	http.StatusServiceUnavailable:    {"code": protocol.Unavailable, "detail": "The database is unavailable. Try again."},
}

// refusalExample is the most frequent refusal of an operation with a status.
type refusalExample struct {
	status  int
	problem object
}

var (
	storyOver  = refusalExample{http.StatusConflict, object{"code": protocol.SessionCompleted, "detail": "The session is completed.", "session_id": storySession, "return_url": storyReturn}}
	storySpent = refusalExample{http.StatusConflict, object{"code": protocol.LaunchSpent, "detail": "The launch token was already redeemed.", "session_id": storySession}}
	storyTaken = refusalExample{http.StatusConflict, object{"code": protocol.AlreadyExists, "detail": "The id, domain or person's role already exists."}}

	refusalExamples = map[string]refusalExample{
		"launch-session": storySpent, "relaunch-session": storyOver, "extend-session": storyOver, "pause-session": storyOver, "resume-session": storyOver, "revoke-session": storyOver,
		"heartbeat-session": storyOver, "events-session": storyOver, "create-provider": storyTaken, "create-marketplace": storyTaken, "update-provider": storyTaken, "create-person": storyTaken,
		"edge-launch": storySpent,
		"erase-user":  {http.StatusConflict, object{"code": protocol.IllegalTransition, "detail": "The user has sessions that have not ended. End them first."}},
	}

	// invalidExamples are the refusals of validate-session, which has its own shape.
	invalidExamples = map[string]object{
		"400": {
			"valid": false, "error": "Session is not active", "title": "Bad Request", "status": 400, "code": protocol.SessionCompleted,
			"detail": "The session is completed.", "return_url": storyReturn, "server_time_ms": endedAt*1000 + 500,
		},
		"401": {"valid": false, "error": "Invalid or expired token", "title": "Unauthorized", "status": 401, "code": protocol.TokenInvalid, "detail": "The token is not valid."},
		"404": {"valid": false, "error": "Session not found", "title": "Not Found", "status": 404, "code": protocol.NotFound, "detail": "Resource not found."},
	}
)
