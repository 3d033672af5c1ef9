//go:build !linux

package store

// limitSilence does nothing: retransmission follows the system's defaults.
func limitSilence(uintptr) error { return nil }
