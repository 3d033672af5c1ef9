// Package edgestorage keeps what several edges share in Redis: certificates,
// their keys, and the locks under which one edge obtains what all then use. It
// is a storage module of Caddy:
//
//	{
//		storage session_gate {
//			redis          {$SESSIONGATE_STORAGE_REDIS}
//			encryption_key {$SESSIONGATE_STORAGE_KEY}
//		}
//	}
//
// Each file is a hash at {prefix}:f:<key> (v: value, m: Unix ms of its writing),
// and all names stand in one sorted set, so that folders can be listed. The
// braces put all of it into one slot of a cluster.
package edgestorage
