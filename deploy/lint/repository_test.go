package lint

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// foldersWith lists the folders that hold a tracked file of this name, as
// dependabot.yml writes them.
func foldersWith(t *testing.T, name string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", name, "*/"+name)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for line := range strings.Lines(string(out)) {
		folders = append(folders, path.Join("/", path.Dir(strings.TrimSpace(line))))
	}
	slices.Sort(folders)
	return folders
}

// TestDependabot holds .github/dependabot.yml to the folders that exist.
func TestDependabot(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.github/dependabot.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Updates []struct {
			Ecosystem   string   `json:"package-ecosystem"`
			Directory   string   `json:"directory"`
			Directories []string `json:"directories"`
		} `json:"updates"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	listed := make(map[string][]string)
	for _, u := range config.Updates {
		listed[u.Ecosystem] = append(listed[u.Ecosystem], u.Directories...)
		if u.Directory != "" {
			listed[u.Ecosystem] = append(listed[u.Ecosystem], u.Directory)
		}
	}
	for ecosystem, file := range map[string]string{"gomod": "go.mod", "npm": "package.json", "docker": "Dockerfile", "devcontainers": "devcontainer.json"} {
		want := foldersWith(t, file)
		if ecosystem == "devcontainers" { // Dependabot looks for .devcontainer itself
			for i := range want {
				want[i] = path.Dir(want[i])
			}
		}
		got := listed[ecosystem]
		slices.Sort(got)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: dependabot.yml lists %q, and %s is in %q", ecosystem, got, file, want)
		}
	}
	if !slices.Equal(listed["github-actions"], []string{"/"}) {
		t.Errorf("github-actions: %q", listed["github-actions"])
	}
}

// TestCodeOwners checks that each pattern of CODEOWNERS matches a tracked file
// and names an owner.
func TestCodeOwners(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.github/CODEOWNERS")
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		rules++
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "@") {
			t.Errorf("%q names no owner", strings.TrimSpace(line))
		}
		if fields[0] == "*" {
			continue
		}
		if _, err := os.Stat("../.." + strings.TrimSuffix(fields[0], "/")); err != nil {
			t.Errorf("%q: %v", fields[0], err)
		}
	}
	if rules == 0 {
		t.Error("no rules")
	}
}
