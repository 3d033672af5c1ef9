package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startChromium opens a page in a browser that no test drives: what the page
// has to say, it tells a server. It returns what the browser writes.
func startChromium(t *testing.T, address string, args ...string) *Log {
	t.Helper()
	browser := exec.Command("/usr/bin/chromium", append(append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
	}, args...), address)...)
	log := new(Log)
	browser.Stderr, browser.WaitDelay = log, 5*time.Second
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A KILL would leave its children writing into a folder that goes away.
		defer time.AfterFunc(patience, func() { _ = browser.Process.Kill() }).Stop()
		_ = browser.Process.Signal(syscall.SIGTERM)
		_ = browser.Wait()
	})
	return log
}

// TestChromiumHears4401OverHTTP2 lets a real browser keep a WebSocket on a
// stream of HTTP/2 until its session ends.
func TestChromiumHears4401OverHTTP2(t *testing.T) {
	t.Parallel()
	reports := make(chan url.Values, 1)
	report := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case reports <- r.URL.Query():
		default:
		}
	})
	sockets := origin(t).Config.Handler
	app := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			sockets.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><html><head><title>t</title></head><body><script>
let opened = false;
const ws = new WebSocket("wss://" + location.host + "/ws");
ws.onopen = () => { opened = true; setInterval(() => ws.send("x".repeat(3000)), 20); };
ws.onclose = (e) => fetch("%s/?opened=" + opened + "&code=" + e.code + "&reason=" + e.reason + "&at=" + Date.now(), {mode: "no-cors"});
</script></body></html>`, report)
	})
	s := StartSplit(t, app, "GODEBUG=http2xconnect=1")
	ports := freePorts(t)
	s.reload(t, fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	http_port %d
	https_port %d
	local_certs
	skip_install_trust
	servers {
		protocols h1 h2
	}
	session_gate {
		backend %s
		edge_key %s
	}
}
https://app.example {
	log
	session_gate {
		provider prov_split
	}
	reverse_proxy %s
}
`, s.admin, ports, ports+1, s.Link.URL, s.EdgeKey, s.origin))
	// A busy machine may open the WebSocket only after a short session is over.
	for _, seconds := range []int64{12, 60, 240} {
		sold := s.buy(t, terms{User: s.newUser(t, 100), Seconds: seconds, Tokens: 10, Clock: "launch"})
		log := startChromium(t, "https://app.example/?session="+sold.Token, "--remote-debugging-port=0",
			"--ignore-certificate-errors", fmt.Sprintf("--host-resolver-rules=MAP app.example:443 127.0.0.1:%d", ports+1))
		var got url.Values
		select {
		case got = <-reports:
		case <-time.After(patience + time.Duration(seconds)*time.Second):
		}
		if got.Get("opened") == "true" {
			if code, reason := got.Get("code"), got.Get("reason"); code != "4401" || reason != "session_expired" {
				t.Errorf("the page's WebSocket closed with %q, %q", code, reason)
			}
			at, err := strconv.ParseInt(got.Get("at"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			due := s.deadlineOf(t, sold.Session.ID)
			onTime(t, due, due, time.UnixMilli(at))
			break
		}
		if seconds == 240 {
			t.Fatalf("the page opened no WebSocket: %v\n%s\n%s", got, log, grep(s.Log.String(), `{"level":"info"`))
		}
	}
	if !strings.Contains(s.Log.String(), `"method":"CONNECT"`) {
		t.Errorf("the WebSocket did not go over HTTP/2:\n%s", grep(s.Log.String(), `{"level":"info"`))
	}
}
