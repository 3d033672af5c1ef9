package keyring

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sessiongate/sessiongate/internal/token"
)

var ctx = context.Background()

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func states(r *Ring) (list []State) {
	for _, k := range r.List() {
		list = append(list, k.State)
	}
	return list
}

func TestFirstStartMakesPrivateKeysThatStay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "keys")
	c := &clock{time.Unix(1_800_000_000, 0)}
	if _, err := Existing(ctx, Folder(dir), c.Now); err == nil {
		t.Error("keys were found where there are none")
	}
	r, err := Open(ctx, Folder(dir), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got := states(r); !slices.Equal(got, []State{Current, Next}) {
		t.Errorf("made %v", got)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v (%v)", f.Name(), info.Mode(), err)
		}
	}
	again, err := Open(ctx, Folder(dir), c.Now)
	if err != nil || again.Signer().KeyID() != r.Signer().KeyID() {
		t.Errorf("another start signs with another key: %v", err)
	}
}

func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &clock{time.Unix(1_800_000_000, 0)}
	service, err := Open(ctx, Folder(dir), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	first := service.Signer().KeyID()
	next := service.List()[1].KeyID

	operator, err := Existing(ctx, Folder(dir), c.Now) // the command, beside the running service
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if service.Signer().KeyID() != first {
		t.Error("the service changed its key before it looked")
	}
	if err := service.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := service.Signer().KeyID(); got != next {
		t.Errorf("signs with %s, want the key that was next", got)
	}
	if got := states(service); !slices.Equal(got, []State{Retired, Current, Next}) {
		t.Errorf("after rotating: %v", got)
	}
	if _, err := service.Key(ctx, first); err != nil {
		t.Errorf("the retired key no longer verifies: %v", err)
	}
	if jwks := service.JWKS(); len(jwks.Keys) != 3 || jwks.Keys[0].KeyID != next {
		t.Errorf("published %+v", jwks)
	}

	c.now = c.now.Add(Overlap + time.Hour)
	if err := operator.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := operator.Key(ctx, first); !errors.Is(err, token.ErrUnknownKey) {
		t.Errorf("a key retired long ago: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, first+".pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its file is still there: %v", err)
	}
}

func TestFirstStartsAtOnceAgree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kids := make([]string, 16)
	var all sync.WaitGroup
	for i := range kids {
		all.Go(func() {
			r, err := Open(ctx, Folder(dir), time.Now)
			if err != nil {
				t.Error(err)
				return
			}
			kids[i] = r.Signer().KeyID()
		})
	}
	all.Wait()
	if slices.Sort(kids); kids[0] != kids[len(kids)-1] {
		t.Errorf("processes sign with different keys: %v", slices.Compact(kids))
	}
}

func TestDamagedFolders(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(dir, kid string) error{
		"no JSON":       func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, ringFile), []byte("{"), 0o600) },
		"nothing there": func(dir, _ string) error { return os.WriteFile(filepath.Join(dir, ringFile), []byte("[]"), 0o600) },
		"key missing":   func(dir, kid string) error { return os.Remove(filepath.Join(dir, kid+".pem")) },
		"key damaged":   func(dir, kid string) error { return os.WriteFile(filepath.Join(dir, kid+".pem"), []byte("x"), 0o600) },
	} {
		dir := t.TempDir()
		r, err := Open(ctx, Folder(dir), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if err := harm(dir, r.Signer().KeyID()); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, Folder(dir), time.Now); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}
