package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sessiongate/sessiongate/backend/ledger"
	"github.com/sessiongate/sessiongate/backend/store"
)

// A user is given 500 tokens.
func ExampleStore_Write() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "example.db"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	err = s.Write(ctx, func(tx *store.Tx) error {
		p, err := ledger.Credit("gift-1", "user_7", 500, time.Now())
		if err != nil {
			return err
		}
		return tx.Post(ctx, p)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := s.Balance(ctx, "user_7")
	fmt.Println(b.Available(), b.Held, err)
	// Output: 500 0 <nil>
}
