package sampleapp

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// chatMessage is what the socket sends, one JSON object a frame.
//
//	hello     You: the name that this connection goes by; Online
//	message   From, Text, At
//	presence  Online
type chatMessage struct {
	Kind   string `json:"kind"`
	You    string `json:"you,omitempty"`
	From   string `json:"from,omitempty"`
	Text   string `json:"text,omitempty"`
	At     int64  `json:"at,omitempty"` // Unix seconds
	Online int    `json:"online,omitempty"`
}

const (
	chatHistory   = 30  // messages that a newcomer sees
	chatBacklog   = 32  // frames a slow reader may fall behind
	chatTextMax   = 500 // bytes
	chatWriteTime = 10 * time.Second
)

// channel is the one chat room.
type channel struct {
	mu      sync.Mutex // guards all below
	members map[chan chatMessage]struct{}
	history []chatMessage
	joined  int
}

func newChannel(now time.Time) *channel {
	c := &channel{members: map[chan chatMessage]struct{}{}}
	for i, m := range []chatMessage{
		{From: "Ines", Text: "Water is over the lower path. Take the wall if you are coming out."},
		{From: "Tom", Text: "On the hide until four. Flask is full."},
		{From: "Wren", Text: "Owl is back along the decoy, going north."},
	} {
		m.Kind, m.At = "message", now.Add(time.Duration(i-4)*7*time.Minute).Unix()
		c.history = append(c.history, m)
	}
	return c
}

var birds = []string{"Avocet", "Curlew", "Dunlin", "Egret", "Godwit", "Lapwing", "Plover", "Redshank", "Shelduck", "Teal", "Whimbrel", "Wigeon"}

// join adds a member and queues what it must know first.
func (c *channel) join() (name string, inbox chan chatMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name = birds[c.joined%len(birds)]
	c.joined++
	inbox = make(chan chatMessage, chatBacklog+chatHistory+1)
	c.members[inbox] = struct{}{}
	inbox <- chatMessage{Kind: "hello", You: name, Online: len(c.members)}
	for _, m := range c.history {
		inbox <- m
	}
	c.sendLocked(chatMessage{Kind: "presence", Online: len(c.members)})
	return name, inbox
}

func (c *channel) leave(inbox chan chatMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, in := c.members[inbox]; in {
		delete(c.members, inbox)
		close(inbox)
	}
	c.sendLocked(chatMessage{Kind: "presence", Online: len(c.members)})
}

func (c *channel) say(m chatMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, m)
	if len(c.history) > chatHistory {
		c.history = c.history[len(c.history)-chatHistory:]
	}
	c.sendLocked(m)
}

// sendLocked drops members that do not read, rather than wait for them.
func (c *channel) sendLocked(m chatMessage) {
	for inbox := range c.members {
		select {
		case inbox <- m:
		default:
			delete(c.members, inbox)
			close(inbox)
		}
	}
}

func (a *app) chat(w http.ResponseWriter, r *http.Request) {
	a.page(w, r, http.StatusOK, "chat", view{Title: "Channel", Section: "/chat"})
}

// socket joins the channel. A text frame is what the member says.
func (a *app) socket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		// A proxy in front may ask for us by another name than browsers do.
		OriginPatterns: []string{r.Header.Get("X-Forwarded-Host")},
	})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(4 << 10)

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	name, inbox := a.channel.join()
	written := make(chan struct{})
	go func() {
		defer close(written)
		defer cancel()
		writeInbox(ctx, conn, inbox)
	}()
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			break
		}
		text := strings.TrimSpace(string(frame))
		if kind != websocket.MessageText || text == "" || len(text) > chatTextMax || !utf8.ValidString(text) {
			continue
		}
		a.channel.say(chatMessage{Kind: "message", From: name, Text: text, At: a.config.Now().Unix()})
	}
	a.channel.leave(inbox) // ends writeInbox
	<-written
}

func writeInbox(ctx context.Context, conn *websocket.Conn, inbox <-chan chatMessage) {
	for m := range inbox {
		frame, err := json.Marshal(m)
		if err != nil {
			return
		}
		timeout, cancel := context.WithTimeout(ctx, chatWriteTime)
		err = conn.Write(timeout, websocket.MessageText, frame)
		cancel()
		if err != nil {
			return
		}
	}
	_ = conn.Close(websocket.StatusGoingAway, "")
}
