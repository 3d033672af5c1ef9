// Package backend_bench measures the session service against the bare work that
// it does:
//
//	go test -run '^$' -bench . ./bench/backend
//
// What a figure is compared with is measured in the same run, on the same
// machine and disk.
package backend_bench
