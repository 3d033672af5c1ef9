// Package resolvertest is a DNS server for tests: authoritative for everything, over
// UDP and TCP on one port of this machine.
package resolvertest

import (
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Server is a running DNS server. Its records may be changed while it runs.
type Server struct {
	Addr string

	udp, tcp *dns.Server

	mu      sync.Mutex        // guards all below
	records map[string]string // name, space and type, to values by line
	broken  map[string]bool   // names for which it answers SERVFAIL
	silent  bool
	asked   map[string]int
}

// Start runs a server on a free port of 127.0.0.1, or on the given one.
func Start(port int) (*Server, error) {
	s := &Server{records: map[string]string{}, broken: map[string]bool{}, asked: map[string]int{}}
	var udp net.PacketConn
	var tcp net.Listener
	var err error
	for range 20 { // the port must be free for both
		if udp, err = net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			return nil, fmt.Errorf("starting DNS server: %w", err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("starting DNS server: %w", err)
	}
	s.Addr = udp.LocalAddr().String()
	handler := dns.HandlerFunc(s.answer)
	s.udp, s.tcp = &dns.Server{PacketConn: udp, Handler: handler}, &dns.Server{Listener: tcp, Handler: handler}
	for _, server := range []*dns.Server{s.udp, s.tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }() // ends with Stop
		<-started
	}
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.udp.Shutdown()
	_ = s.tcp.Shutdown()
}

// Set replaces the records of a name and type. A name may begin with *. for all names
// below it. Without values, the records are removed.
func (s *Server) Set(name, kind string, values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(dns.Fqdn(name)) + " " + kind
	if len(values) == 0 {
		delete(s.records, key)
		return
	}
	s.records[key] = strings.Join(values, "\n")
}

// Break makes the server fail for a name, or answer again.
func (s *Server) Break(name string, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[strings.ToLower(dns.Fqdn(name))] = broken
}

// Silence makes the server answer nothing, or answer again.
func (s *Server) Silence(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = silent
}

// Asked is how often the server was asked for a name.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[strings.ToLower(dns.Fqdn(name))]
}

func (s *Server) answer(w dns.ResponseWriter, question *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent || len(question.Question) != 1 {
		return
	}
	q := question.Question[0]
	name := strings.ToLower(q.Name)
	s.asked[name]++
	reply := new(dns.Msg).SetReply(question)
	reply.RecursionAvailable = true
	if s.broken[name] {
		reply.Rcode = dns.RcodeServerFailure
		_ = w.WriteMsg(reply)
		return
	}
	// As a recursive resolver does, with the whole chain of aliases.
	for range 10 {
		if list := s.find(name, dns.TypeToString[q.Qtype]); len(list) > 0 {
			reply.Answer = append(reply.Answer, list...)
			break
		}
		aliases := s.find(name, "CNAME")
		if len(aliases) == 0 {
			if !s.exists(name) {
				reply.Rcode = dns.RcodeNameError
			}
			break
		}
		reply.Answer = append(reply.Answer, aliases[0])
		name = strings.ToLower(aliases[0].(*dns.CNAME).Target)
	}
	if _, overUDP := w.RemoteAddr().(*net.UDPAddr); overUDP {
		size := dns.MinMsgSize
		if o := question.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		reply.Truncate(size)
	}
	_ = w.WriteMsg(reply)
}

// find returns the records of a name, or of the wildcard above it.
func (s *Server) find(name, kind string) (list []dns.RR) {
	values, ok := s.records[name+" "+kind]
	if !ok && !s.exists(name) {
		if _, parent, below := strings.Cut(name, "."); below {
			values = s.records["*."+parent+" "+kind]
		}
	}
	if values == "" {
		return nil
	}
	for value := range strings.SplitSeq(values, "\n") {
		if kind == "TXT" {
			list = append(list, &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: split(value)})
			continue
		}
		if kind == "CNAME" {
			value = dns.Fqdn(value)
		}
		record, err := dns.NewRR(name + " 1 IN " + kind + " " + value)
		if err != nil {
			panic("resolvertest: " + err.Error()) // a mistake in a test
		}
		list = append(list, record)
	}
	return list
}

// split cuts a text into the strings of a TXT record.
func split(text string) (list []string) {
	for len(text) > 255 {
		list, text = append(list, text[:255]), text[255:]
	}
	return append(list, text)
}

func (s *Server) exists(name string) bool {
	for key := range s.records {
		if strings.HasPrefix(key, name+" ") || strings.HasSuffix(strings.SplitN(key, " ", 2)[0], "."+name) {
			return true
		}
	}
	return false
}
