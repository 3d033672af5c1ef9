package coord

import (
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// A Redis that takes longer is as good as none: SQL answers instead.
	redisTimeout = 250 * time.Millisecond
	dialTimeout  = 500 * time.Millisecond
)

// ErrURL is returned for an address of Redis that cannot be read. It does not
// quote it: it may hold a password.
var ErrURL = errors.New("the address of Redis is redis://, rediss://, redis+cluster:// or redis+sentinel://")

// connect returns a client for address:
//
//	redis://user:password@host:6379/0             one server
//	rediss://host:6379                            the same over TLS
//	redis+cluster://host:6379?addr=host2:6379     a cluster, by any of its nodes
//	redis+sentinel://host:26379?master_name=name  whichever server its sentinels name
//
// No command is tried twice, and none waits long: what fails is answered from
// SQL, and the connection is mended beside the requests.
func connect(address string) (redis.UniversalClient, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	kind, plus, found := strings.Cut(scheme, "+")
	if !found {
		plus = ""
	}
	if kind != "redis" && kind != "rediss" {
		return nil, ErrURL
	}
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch plus {
	case "":
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, ErrURL
		}
		o.MaxRetries, o.DialerRetries, o.Protocol, o.MaintNotificationsConfig = -1, 1, 2, quiet
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = dialTimeout, dialTimeout, dialTimeout, true
		return redis.NewClient(o), nil
	case "cluster":
		o, err := redis.ParseClusterURL(kind + "://" + rest)
		if err != nil {
			return nil, ErrURL
		}
		o.MaxRetries, o.DialerRetries, o.Protocol, o.MaintNotificationsConfig = -1, 1, 2, quiet
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = dialTimeout, dialTimeout, dialTimeout, true
		return redis.NewClusterClient(o), nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(kind + "://" + rest)
		if err != nil || o.MasterName == "" {
			return nil, ErrURL
		}
		o.MaxRetries, o.DialerRetries, o.Protocol = -1, 1, 2
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = dialTimeout, dialTimeout, dialTimeout, true
		return redis.NewFailoverClient(o), nil
	}
	return nil, ErrURL
}
