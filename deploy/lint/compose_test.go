package lint

import (
	"os"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// TestComposeFile loads compose.yaml as Docker Compose does: schema, references
// and variables.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	load := func(env ...string) error {
		options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithEnv(env))
		if err != nil {
			return err
		}
		project, err := options.LoadProject(t.Context())
		if err != nil {
			return err
		}
		for _, name := range []string{"backend", "edge", "redis"} {
			s, err := project.GetService(name)
			if err != nil {
				return err
			}
			if !s.ReadOnly || len(s.CapDrop) == 0 {
				t.Errorf("%s is not hardened", name)
			}
		}
		for _, s := range project.Services {
			for _, v := range s.Volumes {
				if v.Type != "bind" {
					continue
				}
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s mounts %s: %v", s.Name, v.Source, err)
				}
			}
			if s.Build == nil {
				continue
			}
			if _, err := os.Stat(s.Build.Context + "/" + s.Build.Dockerfile); err != nil {
				t.Errorf("%s is built from: %v", s.Name, err)
			}
		}
		return nil
	}
	example, err := os.ReadFile("../compose.env.example")
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(string(example)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			if value == "" {
				value = "filled-in"
			}
			env = append(env, name+"="+value)
		}
	}
	if err := load(env...); err != nil {
		t.Errorf("with every variable of compose.env.example: %v", err)
	}
	if err := load(); err == nil || !strings.Contains(err.Error(), "deploy/.env") {
		t.Errorf("without variables it should say where they are set, not %v", err)
	}
}
