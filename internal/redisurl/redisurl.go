// Package redisurl connects to Redis by URL: to one server, to a cluster, or to the
// server that sentinels name.
package redisurl

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Err means that a Redis address cannot be parsed. Its text does not contain the
// address, which may hold a password.
var Err = errors.New("the Redis address must begin with redis://, rediss://, redis+cluster:// or redis+sentinel://")

// Patience limits how long a client waits and how often it retries.
type Patience struct {
	// Time limit for connecting, and for the response to a command.
	Timeout time.Duration
	// How often a failed command is retried. Zero: never.
	Retries int
}

// Connect returns a client for address:
//
//	redis://user:password@host:6379/0             one server
//	rediss://host:6379                            the same over TLS
//	redis+cluster://host:6379?addr=host2:6379     a cluster, by any of its nodes
//	redis+sentinel://host:26379?master_name=name  the server that its sentinels name
//
// The client connects when it is first used. go-redis writes to standard error if a
// server cannot be reached, unless the program sets [NoLog].
func Connect(address string, p Patience) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	kind, plus, found := strings.Cut(scheme, "+")
	if !found {
		plus = ""
	}
	if kind != "redis" && kind != "rediss" {
		return nil, Err
	}
	retries, off := p.Retries, &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if retries == 0 {
		retries = -1 // go-redis takes 0 for its default and -1 for none
	}
	switch plus {
	case "":
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, Err
		}
		o.MaxRetries, o.DialerRetries, o.Protocol, o.MaintNotificationsConfig = retries, 1, 2, off
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = p.Timeout, p.Timeout, p.Timeout, true
		return redis.NewClient(o), nil
	case "cluster":
		o, err := redis.ParseClusterURL(kind + "://" + rest)
		if err != nil {
			return nil, Err
		}
		o.MaxRetries, o.DialerRetries, o.Protocol, o.MaintNotificationsConfig = retries, 1, 2, off
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = p.Timeout, p.Timeout, p.Timeout, true
		return redis.NewClusterClient(o), nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(kind + "://" + rest)
		if err != nil || o.MasterName == "" {
			return nil, Err
		}
		o.MaxRetries, o.DialerRetries, o.Protocol = retries, 1, 2
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = p.Timeout, p.Timeout, p.Timeout, true
		return redis.NewFailoverClient(o), nil
	}
	return nil, Err
}

// NoLog is a logger for [redis.SetLogger] that discards everything. go-redis
// returns the same problems as errors. Its logger is global to the process, so only
// a main function may set it.
type NoLog struct{}

// Printf implements go-redis's logger.
func (NoLog) Printf(context.Context, string, ...any) {}
