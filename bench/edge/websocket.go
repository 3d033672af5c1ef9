package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// Opcodes of RFC 6455, with the bit that ends a message.
const (
	textFrame  = 0x81
	closeFrame = 0x88
	pingFrame  = 0x89
	pongFrame  = 0x8a
)

// echoClient sends a message and waits for its echo, again and again.
type echoClient struct {
	conn    net.Conn
	r       *bufio.Reader
	frame   []byte
	message []byte // 64 bytes, the first eight a number
	in      []byte
}

func newEchoClient(conn net.Conn, cookie string) (*echoClient, error) {
	c := &echoClient{conn: conn, r: bufio.NewReader(conn), message: bytes.Repeat([]byte("a message. "), 6)[:64]}
	_, err := fmt.Fprintf(conn, "GET /echo HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://"+host+"\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: websocket\r\n"+
		"Cookie: theme=dark; %s\r\n\r\n", cookie)
	if err != nil {
		return nil, err
	}
	var head messageHead
	if err := head.read(c.r); err != nil {
		return nil, err
	}
	if status, err := head.status(); err != nil || status != 101 {
		return nil, errors.Join(err, fmt.Errorf("the upgrade to WebSocket was answered with %q", head.start))
	}
	return c, nil
}

func (c *echoClient) close() { c.conn.Close() }

func (c *echoClient) run(more func() bool) (int, error) {
	n := 0
	for ; more(); n++ {
		binary.BigEndian.PutUint64(c.message, binary.BigEndian.Uint64(c.message)+1)
		c.frame = appendFrame(c.frame[:0], textFrame, c.message, true)
		if _, err := c.conn.Write(c.frame); err != nil {
			return n, err
		}
		for {
			kind, got, err := readWebSocketFrame(c.r, c.in)
			if err != nil {
				return n, err
			}
			c.in = got
			if kind == pingFrame {
				continue
			}
			if kind != textFrame || !bytes.Equal(got, c.message) {
				return n, fmt.Errorf("the echo is frame %#x %q, not the message", kind, got)
			}
			break
		}
	}
	return n, nil
}

// appendFrame writes a frame of less than 126 bytes.
func appendFrame(buf []byte, kind byte, message []byte, masked bool) []byte {
	if !masked {
		return append(append(buf, kind, byte(len(message))), message...)
	}
	mask := [4]byte{0x21, 0x43, 0x65, 0x87}
	buf = append(append(buf, kind, 0x80|byte(len(message))), mask[:]...)
	for i, b := range message {
		buf = append(buf, b^mask[i%4])
	}
	return buf
}

// readWebSocketFrame reads a frame of less than 126 bytes into buf.
func readWebSocketFrame(r *bufio.Reader, buf []byte) (kind byte, message []byte, err error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, buf, err
	}
	n, mask := int(head[1]&0x7f), head[2:]
	if n > 125 {
		return 0, buf, errors.New("a frame of the WebSocket is longer than any that was sent")
	}
	masked := head[1]&0x80 != 0
	if masked {
		if _, err := io.ReadFull(r, mask); err != nil {
			return 0, buf, err
		}
	}
	if message, err = readN(r, buf[:0], n); err != nil {
		return 0, buf, err
	}
	if masked {
		for i := range message {
			message[i] ^= mask[i%4]
		}
	}
	return head[0], message, nil
}

// echo is the origin's side of a WebSocket.
func echo(conn net.Conn, r *bufio.Reader, key string) error {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	var in, out []byte
	for err == nil {
		var kind byte
		if kind, in, err = readWebSocketFrame(r, in); err != nil {
			return err
		}
		if kind == pingFrame {
			kind = pongFrame
		} else if kind == pongFrame {
			continue
		}
		out = appendFrame(out[:0], kind, in, false)
		if _, err = conn.Write(out); kind == closeFrame {
			return err
		}
	}
	return err
}
