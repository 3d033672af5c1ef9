package store

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// connectTimeout bounds how long a connection to PostgreSQL may take to make;
	// connect_timeout in the address wins.
	connectTimeout = 5 * time.Second
	// silence is how long a network that swallows packets can keep a question
	// waiting: both what is sent and not acknowledged, and an answer that does
	// not come. Statements themselves may take as long as they need.
	silence = 20 * time.Second
)

// postgresAddress is address as the driver "pgx" takes it, with what notices a
// dead network: by themselves, connections do after a quarter of an hour.
func postgresAddress(address string) (string, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return "", err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.DialFunc = dialer().DialContext
	return stdlib.RegisterConnConfig(config), nil
}

func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 4, Count: 2},
		Control: func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			var err error
			if e := c.Control(func(fd uintptr) { err = limitSilence(fd) }); e != nil {
				return fmt.Errorf("preparing a connection: %w", e)
			}
			return err
		},
	}
}
