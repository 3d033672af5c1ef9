package protocol

import (
	"encoding/json"
	"testing"
)

// The head of a state is the same whichever way it is read.
func TestHeadOfAState(t *testing.T) {
	t.Parallel()
	for name, st := range map[string]LiveState{
		"all":               {ID: "s1", UserID: "u", ProviderID: "prov_a", Status: Active, Version: 7, ExpiresAt: 9, ReturnURL: "https://a.example/"},
		"escapes in a user": {ID: "s1", UserID: "a\"b\\\n\\\"<ü", ProviderID: "prov_a", Status: Revoked, Version: 1},
		"escapes in an id":  {ID: "s\"1", UserID: "u", ProviderID: "prov\\a", Status: "ß", Version: 1 << 62},
		"version below 0":   {ID: "s1", Version: -2},
		"empty":             {},
	} {
		data, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		want := StateHead{ID: st.ID, ProviderID: st.ProviderID, Status: st.Status, Version: st.Version}
		if got, err := HeadOf(data); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, text := range []string{
		`{"version":7,"status":"active","id":"s1","provider_id":"prov_a"}`,
		` {"id": "s1", "provider_id": "prov_a", "status": "active", "version": 7}`,
		`{"id":"s1","user_id":"u","more":1,"provider_id":"prov_a","status":"active","version":7}`,
	} {
		if got, err := HeadOf([]byte(text)); err != nil || got != (StateHead{"s1", "prov_a", Active, 7}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{``, `{`, `{"id":"s1`, `{"id":"s1","user_id":"u\`, `{"id":"s1","user_id":"u","provider_id":"p","status":"active","version":7`, `{"id":5}`} {
		if got, err := HeadOf([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// A state whose fields are in the usual order is read without a JSON decoder; no other
// text is taken for such a state.
func TestQuickHead(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(LiveState{ID: "s1", UserID: "a\"b", ProviderID: "prov_a", Status: Active, Version: 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := quickHead(data); !ok {
		t.Errorf("%s is read slowly", data)
	}
	for cut := range data {
		h, ok := quickHead(data[:cut])
		if ok && (h.ID != "s1" || h.ProviderID != "prov_a" || h.Version != 7) {
			t.Errorf("%s: %+v", data[:cut], h)
		}
	}
}
