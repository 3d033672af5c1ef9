package keyring_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sessiongate/sessiongate/backend/keyring"
)

// A first start makes two keys; a rotation retires one and makes another.
func ExampleRing_Rotate() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	ring, err := keyring.Open(ctx, keyring.Folder(dir), time.Now)
	if err == nil {
		err = ring.Rotate(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range ring.List() {
		fmt.Println(k.State)
	}
	// Output:
	// retired
	// current
	// next
}
