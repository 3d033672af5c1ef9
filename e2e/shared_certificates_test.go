package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/sessiongate/sessiongate/backend/coord/coordtest"
)

// TestEdgesShareCertificates runs two edges over one certificate storage, as
// docs/caddyfile.md has it, in a folder and in Redis: a domain that a visitor
// asks one for has the same certificate at the other, and one issued it.
func TestEdgesShareCertificates(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/caddyfile.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		shared := regexp.MustCompile(`(?m)^\tstorage file_system /\S+$`).Find(doc)
		if shared == nil {
			t.Fatal("docs/caddyfile.md names no shared folder")
		}
		storage := t.TempDir()
		shareCertificates(t, regexp.MustCompile(`/\S+`).ReplaceAllString(string(shared), storage))
		issued, err := filepath.Glob(filepath.Join(storage, "certificates", "*", "shared.example", "*.crt"))
		if err != nil || len(issued) != 1 {
			t.Errorf("the storage holds %q, %v", issued, err)
		}
	})
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		shared := regexp.MustCompile(`(?ms)^\tstorage session_gate \{.*?^\t\}$`).Find(doc)
		if shared == nil {
			t.Fatal("docs/caddyfile.md names no shared Redis")
		}
		redis := coordtest.Start(t)
		key := base64.StdEncoding.EncodeToString(make([]byte, 32))
		shareCertificates(t, string(shared), "SESSIONGATE_STORAGE_REDIS="+redis.URL(), "SESSIONGATE_STORAGE_KEY="+key)
		client := goredis.NewClient(&goredis.Options{Addr: redis.Addr()})
		defer client.Close()
		names, err := client.ZRange(t.Context(), "{sg-edge}:names", 0, -1).Result()
		issued := slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, "shared.example.crt") })
		if err != nil || len(issued) != 1 {
			t.Errorf("Redis holds %q, %v", issued, err)
		}
	})
}

func shareCertificates(t *testing.T, storage string, env ...string) {
	t.Helper()
	s := StartSplit(t, origin(t).URL, env...)
	config := func(admin string, port int) string { return s.byDNSAlone(admin, port, storage, registered) }
	a := Caller(s.AdminKey).Do(t, "POST", s.API+"/api/v1/providers", map[string]any{
		"id": "prov_shared", "name": "Shared", "domains": []string{"shared.example"}, "origin_url": s.origin,
		"policies": map[string]any{"return_hosts": []string{"market.example"}},
	})
	if a.Status != http.StatusCreated {
		t.Fatalf("registering: %d %s", a.Status, a.Body)
	}
	first, second := freePorts(t), freePorts(t)
	s.reload(t, config(s.admin, first))
	log := s.anotherEdge(t, config(net.JoinHostPort("127.0.0.1", strconv.Itoa(second+2)), second))

	leaf := func(port int) *x509.Certificate {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var conn *tls.Conn
		eventually(t, func() bool {
			var err error
			conn, err = tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, &tls.Config{ServerName: "shared.example", InsecureSkipVerify: true})
			return err == nil
		}, func() string { return fmt.Sprintf("%s has a certificate:\n%s", address, log) })
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	one, two := leaf(first+1), leaf(second+1)
	if !bytes.Equal(one.Raw, two.Raw) {
		t.Errorf("the edges show different certificates: %s and %s", one.SerialNumber, two.SerialNumber)
	}
}
