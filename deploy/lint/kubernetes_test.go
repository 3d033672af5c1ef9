package lint

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// manifests decodes every document below ../kubernetes with Kubernetes' own
// types. A field that they don't have, or that stands twice, is an error.
func manifests(t *testing.T) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	files, err := filepath.Glob("../kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	var all []runtime.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for r := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
			document := make([]byte, len(text))
			n, err := r.Read(document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			object, _, err := decoder.Decode(document[:n], nil, nil)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			all = append(all, object)
		}
	}
	return all
}

// TestKubernetesManifests decodes the manifests and follows what they name:
// config maps, secrets, volumes, ports and labels of each other.
func TestKubernetesManifests(t *testing.T) {
	t.Parallel()
	objects := manifests(t)
	named := make(map[string]bool) // kind/name
	namespaces := make(map[string]bool)
	var pods []apps.Deployment
	for _, o := range objects {
		kind := o.GetObjectKind().GroupVersionKind().Kind
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		named[kind+"/"+m.GetName()] = true
		if kind == "Namespace" {
			namespaces[m.GetName()] = true
		}
		if d, ok := o.(*apps.Deployment); ok {
			pods = append(pods, *d)
		}
	}
	for _, o := range objects {
		m, err := meta.Accessor(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := o.(*core.Namespace); !ok && !namespaces[m.GetNamespace()] {
			t.Errorf("%s is in the namespace %q, which no manifest makes", m.GetName(), m.GetNamespace())
		}
		switch o := o.(type) {
		case *apps.Deployment:
			checkDeployment(t, o, named)
		case *core.Service:
			target := selected(pods, o.Spec.Selector)
			if target == nil {
				t.Fatalf("service %s selects no pods", o.Name)
			}
			for _, p := range o.Spec.Ports {
				if !hasPort(target, p.TargetPort, p.Protocol) {
					t.Errorf("service %s: its pods have no port %s", o.Name, p.TargetPort.String())
				}
			}
		case *policy.PodDisruptionBudget:
			target := selected(pods, o.Spec.Selector.MatchLabels)
			if target == nil || o.Spec.MinAvailable.IntValue() >= int(*target.Spec.Replicas) {
				t.Errorf("disruption budget %s lets no pod be moved", o.Name)
			}
		case *networking.NetworkPolicy:
			if selected(pods, o.Spec.PodSelector.MatchLabels) == nil {
				t.Errorf("network policy %s selects no pods", o.Name)
			}
			for _, from := range o.Spec.Ingress[0].From {
				if from.PodSelector != nil && selected(pods, from.PodSelector.MatchLabels) == nil {
					t.Errorf("network policy %s lets in pods that are not there", o.Name)
				}
			}
		}
	}
	if len(pods) != 2 {
		t.Errorf("%d deployments, want backend and edge", len(pods))
	}
}

func checkDeployment(t *testing.T, d *apps.Deployment, named map[string]bool) {
	t.Helper()
	spec := d.Spec.Template.Spec
	for k, v := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Labels[k] != v {
			t.Errorf("%s does not select its own pods", d.Name)
		}
	}
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		t.Errorf("%s may run as root, or without a seccomp profile", d.Name)
	}
	volumes := make(map[string]bool)
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && !named["ConfigMap/"+v.ConfigMap.Name] {
			t.Errorf("%s mounts the config map %s, which is not there", d.Name, v.ConfigMap.Name)
		}
		if c := v.PersistentVolumeClaim; c != nil && !named["PersistentVolumeClaim/"+c.ClaimName] {
			t.Errorf("%s mounts the claim %s, which is not there", d.Name, c.ClaimName)
		}
	}
	for _, c := range spec.Containers {
		if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
			t.Errorf("%s/%s has a writable root, or may gain rights", d.Name, c.Name)
		}
		if limit := c.Resources.Limits.Memory(); limit.Cmp(resource.MustParse("64Mi")) < 0 {
			t.Errorf("%s/%s has no limit of memory, or one too small to run in", d.Name, c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s/%s mounts %s, which is not there", d.Name, c.Name, m.Name)
			}
		}
		for _, e := range c.EnvFrom {
			if !named["Secret/"+e.SecretRef.Name] {
				t.Errorf("%s/%s takes variables from the secret %s, which is not there", d.Name, c.Name, e.SecretRef.Name)
			}
		}
		for _, probe := range []*core.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if probe == nil {
				continue
			}
			port := intstr.IntOrString{}
			if probe.HTTPGet != nil {
				port = probe.HTTPGet.Port
			} else if probe.TCPSocket != nil {
				port = probe.TCPSocket.Port
			}
			if !hasPort(d, port, core.ProtocolTCP) {
				t.Errorf("%s/%s is probed at port %q, which it has not", d.Name, c.Name, port.String())
			}
		}
	}
}

// selected is the deployment whose pods have these labels.
func selected(all []apps.Deployment, labels map[string]string) *apps.Deployment {
	for i, d := range all {
		merged := maps.Clone(d.Spec.Template.Labels)
		maps.Copy(merged, labels)
		if len(labels) > 0 && maps.Equal(merged, d.Spec.Template.Labels) {
			return &all[i]
		}
	}
	return nil
}

func hasPort(d *apps.Deployment, port intstr.IntOrString, protocol core.Protocol) bool {
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			same := p.Protocol == protocol || p.Protocol == "" && protocol == core.ProtocolTCP || protocol == "" && p.Protocol == core.ProtocolTCP || protocol == "" && p.Protocol == ""
			if same && (p.Name == port.StrVal || port.StrVal == "" && p.ContainerPort == port.IntVal) {
				return true
			}
		}
	}
	return false
}

// TestOneCaddyfile: the config map is deploy/Caddyfile, word for word, which
// another test adapts.
func TestOneCaddyfile(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range manifests(t) {
		if c, ok := o.(*core.ConfigMap); ok && strings.TrimSpace(c.Data["Caddyfile"]) != strings.TrimSpace(string(want)) {
			t.Error("the Caddyfile in kubernetes/edge.yaml is not deploy/Caddyfile: copy it")
		}
	}
}
