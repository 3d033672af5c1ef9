package store

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var queryArg = regexp.MustCompile(`sqlc\.arg\(\w+\)|\$\d`)

// queryText is a query as it stands in the files that the code is generated from.
func queryText(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob("queries/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(text), "-- name: "+name+" :"); ok {
			_, rest, _ = strings.Cut(rest, "\n")
			rest, _, _ = strings.Cut(rest, "-- name: ")
			return queryArg.ReplaceAllString(rest, "?")
		}
	}
	t.Fatalf("no query %s", name)
	return ""
}

// Lists, searches and batches read the rows that they return or change, in the order of
// an index: none sorts or reads a whole table, however many rows it has.
func TestQueriesFollowAnIndex(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]string{
		"ListSessions":                                "sqlite_autoindex_sessions_1 (id<?)",
		"ListSessionsOfMarketplace":                   "sessions_marketplace (marketplace_id=? AND id<?)",
		"ListLiveSessionsOfMarketplace":               "sessions_marketplace_live (marketplace_id=? AND status=? AND id<?)",
		"ListEndedSessionsOfMarketplace":              "sessions_marketplace_ended (marketplace_id=? AND status=? AND id<?)",
		"ListSessionsOfMarketplaceAtProvider":         "sessions_marketplace_provider (marketplace_id=? AND provider_id=? AND id<?)",
		"ListSessionsOfMarketplaceAtProviderInStatus": "sessions_marketplace_provider_status (marketplace_id=? AND provider_id=? AND status=? AND id<?)",
		"CountPeopleOfProvider":                       "people_provider (provider_id=?)",
		"ListSessionsOfUser":                          "sessions_user (user_id=? AND id<?)",
		"ListSessionsOfProvider":                      "sessions_provider_mode (provider_id=? AND mode=? AND id>? AND id<?)",
		"ListSessionsOfProviderInStatus":              "sessions_provider_mode_status (provider_id=? AND mode=? AND status=? AND id<?)",
		"CountSessionsOfUsers":                        "sessions_provider_mode_user (provider_id=? AND mode=? AND user_id>? AND user_id<?)",
		"PlacesTaken":                                 "sessions_mode_live (provider_id=? AND mode=?)",
		"NextEnd":                                     "sessions_mode_live (provider_id=? AND mode=? AND status=?)",
		"LiveSessionsOf":                              "sessions_provider_due (provider_id=? AND id>?)",
		"PendingStandstill":                           "standstills_pending (provider_id>?)",
		"CountLive":                                   "sessions_mode_live (provider_id=? AND mode=?)",
		"ListNewUsers":                                "(provider_id=? AND mode=? AND user_id>?)",
		"ListPasses":                                  "passes_provider (provider_id=? AND id<?)",
		"DeletePasses":                                "passes_expires (expires_at<?)",
		"ListLiveSessionsOfPass":                      "sessions_pass_live (pass_id=?",
		"CountLiveSessionsOfPass":                     "sessions_pass_live (pass_id=?",
		"CountEntriesOfPass":                          "sessions_pass (pass_id=? AND created_at>?)",
		"ListDeliveries":                              "webhook_deliveries_list (webhook_id=? AND created_ms<?)",
		"ListDeliveriesOfStatus":                      "webhook_deliveries_status (webhook_id=? AND status=? AND created_ms<?)",
		"BatchOfDeliveries":                           "webhook_deliveries_list (webhook_id=? AND created_ms>? AND created_ms<?)",
		"ReplayDeliveries":                            "(webhook_id=? AND created_ms>? AND created_ms<?)",
		"FailPending":                                 "webhook_deliveries_due (webhook_id=? AND next_at_ms>?)",
		"ListDisabledWaiting":                         "webhook_deliveries_due (webhook_id=? AND next_at_ms>?)",
		"DeleteDeliveriesOfWebhook":                   "(webhook_id=?)",
		"DeleteDeliveries":                            "webhook_deliveries_created (created_ms<?)",
		"DeleteIdempotencyKeys":                       "idempotency_keys_created (created_at<?)",
		"RenewIdempotencyKeys":                        "idempotency_keys_created (created_at>? AND created_at<?)",
		"ListChanges":                                 "sqlite_autoindex_session_events_1 (id>? AND id<?)",
		"ListSessionsOfIDs":                           "sqlite_autoindex_sessions_1 (id=?)",
		"GetSessionEventUse":                          "sqlite_autoindex_session_event_use_1 (session_id=?)",
		"GetProviderEventDay":                         "sqlite_autoindex_provider_event_days_1 (provider_id=? AND day=?)",
		"HasEventName":                                "sqlite_autoindex_provider_events_1 (provider_id=? AND day=? AND name=?)",
		"SetSessionEventNames":                        "sqlite_autoindex_session_event_use_1 (session_id=?)",
		"AddProviderEventNames":                       "sqlite_autoindex_provider_event_days_1 (provider_id=? AND day=?)",
		"DeletePageEvents":                            "session_events_pages (id<?)",
		"DeleteSessionEventUse":                       "session_event_use_updated (updated_at<?)",
		"DeleteProviderEvents":                        "provider_events_day (day<?)",
		"DeleteProviderEventDays":                     "provider_event_days_day (day<?)",
		"DeleteAttempts":                              "sqlite_autoindex_webhook_attempts_1 (delivery_id=? AND attempt<?)",
		"DueSessions":                                 "sessions_due (due_at>? AND due_at<?)",
	} {
		text := queryText(t, name)
		rows, err := s.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+text, make([]any, strings.Count(text, "?"))...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		text = strings.Join(plan, "; ")
		if !strings.Contains(text, want) || strings.Contains(text, "TEMP B-TREE") || strings.Contains(text, "SCAN d") || strings.Contains(text, "SCAN sessions") || strings.Contains(text, "SCAN k") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
