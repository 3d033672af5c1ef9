package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// profiled is how long a load runs for its profiles.
const profiled = 8 * time.Second

// profileAll writes profiles of CPU and allocations of the contenders that are
// Caddy, by load: the files for go tool pprof, and their first lines as text.
func profileAll(ctx context.Context, contenders []*contender, o options) error {
	if err := os.MkdirAll(o.profile, 0o755); err != nil {
		return err
	}
	loads := chosen(append(append(pageLoads(many), tlsLoads()...), otherLoads()...), o.run)
	for _, c := range contenders {
		if c.admin == "" || !named(c.name, cmp.Or(o.only, "gate")) {
			continue
		}
		for _, l := range loads {
			if err := c.profile(ctx, l, o.profile); err != nil {
				return fmt.Errorf("%s: %s: %w", c.name, l, err)
			}
		}
	}
	return nil
}

// profile runs a load, and asks Caddy's admin endpoint for profiles meanwhile.
func (c *contender) profile(ctx context.Context, l load, dir string) error {
	name := filepath.Join(dir, strings.Map(func(r rune) rune {
		if strings.ContainsRune(" /,+'", r) {
			return '-'
		}
		return r
	}, c.name+"-"+l.String()))
	name = strings.NewReplacer("---", "-", "--", "-").Replace(name)
	got := make(chan error, 2)
	for _, kind := range []struct{ path, file string }{{"profile", ".cpu"}, {"allocs", ".allocs"}} {
		go func() {
			// It begins when the load has warmed up, and ends before the load does.
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			got <- download(ctx, fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", c.admin, kind.path, int(profiled.Seconds())), name+kind.file)
		}()
	}
	f, err := c.measure(ctx, l, profiled+2*time.Second)
	if err = errors.Join(err, <-got, <-got); err != nil {
		return err
	}
	summary := fmt.Sprintf("%s: %s: %.0f µs of CPU for each request, while profiled\n", c.name, l, f.cpu)
	for _, args := range [][]string{
		{"-nodecount=30", "-sample_index=cpu", name + ".cpu"}, {"-nodecount=60", "-cum", "-sample_index=cpu", name + ".cpu"},
		{"-nodecount=30", "-sample_index=alloc_space", name + ".allocs"}, {"-nodecount=30", "-sample_index=alloc_objects", name + ".allocs"},
	} {
		out, err := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-top"}, args...)...).Output()
		if err != nil {
			return fmt.Errorf("go tool pprof: %w", err)
		}
		summary += "\n" + string(out)
	}
	fmt.Fprintln(os.Stderr, name+".txt")
	return os.WriteFile(name+".txt", []byte(summary), 0o644)
}

func download(ctx context.Context, address, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", address, resp.Status)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, resp.Body)
	return errors.Join(err, file.Close())
}
