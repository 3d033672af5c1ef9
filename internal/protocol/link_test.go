package protocol

import (
	"strings"
	"testing"
)

// TestLinksKeepEveryByte: a launch link is the app's address with one parameter more,
// and so is the way back.
func TestLinksKeepEveryByte(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ page, want string }{
		{"https://app.example/", "https://app.example/?P"},
		{"https://app.example", "https://app.example?P"},
		{"https://app.example/x?b=2&a=1", "https://app.example/x?b=2&a=1&P"},
		{"https://app.example/?view=a;b&mode=x", "https://app.example/?view=a;b&mode=x&P"},
		{"https://app.example/?x=a%20b", "https://app.example/?x=a%20b&P"},
		{"https://app.example/?x=a+b", "https://app.example/?x=a+b&P"},
		{"https://app.example/?flag", "https://app.example/?flag&P"},
		{"https://app.example/?path=/a/b:c", "https://app.example/?path=/a/b:c&P"},
		{"https://app.example/?p=100%", "https://app.example/?p=100%&P"},
		{"https://app.example/?q=caf%E9&&z", "https://app.example/?q=caf%E9&&z&P"},
		{"https://app.example/?", "https://app.example/?P"},
		{"https://app.example/#/play/3", "https://app.example/?P#/play/3"},
		{"https://app.example/?a=1#/play?b=2&c", "https://app.example/?a=1&P#/play?b=2&c"},
		{"https://app.example/a%2Fb//c/%7Ex;v=1", "https://app.example/a%2Fb//c/%7Ex;v=1?P"},
		{"https://app.example/?session=demo#/x", "https://app.example/?session=demo&P#/x"},
		{"https://app.example/caf\u00e9?q=\u00fc b#\u00e4", "https://app.example/caf%C3%A9?q=%C3%BC%20b&P#%C3%A4"},
		{"", ""},
	} {
		if got, want := WithLaunchToken(tt.page, "eyJ.a_b-c"), strings.Replace(tt.want, "P", "session=eyJ.a_b-c", 1); got != want {
			t.Errorf("launch link of %q is %q, want %q", tt.page, got, want)
		}
		if strings.Contains(tt.page, "100%") { // a return address has to be one that browsers and programs parse
			continue
		}
		if got, want := WithSessionID(tt.page, "s1"), strings.Replace(tt.want, "P", "session_id=s1", 1); got != want {
			t.Errorf("way back to %q is %q, want %q", tt.page, got, want)
		}
	}
}
