package inject

import (
	"net/http"
	"slices"
	"strings"
)

// policyHeaders are the headers that contain policies. A report-only policy blocks
// nothing, but without an extension it would report our script on every page.
var policyHeaders = [...]string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"}

// scriptless reports whether a policy leaves our script nothing to do: a sandbox
// without allow-scripts, in which no script runs, or without allow-same-origin, in
// which the page has no origin, and the script's calls have no cookie. Browsers ignore
// a sandbox in a report-only policy.
func scriptless(values []string) bool {
	for policy := range policies(values) {
		if flags, ok := directive(policy, "sandbox"); ok && !(hasSource(flags, "allow-scripts") && hasSource(flags, "allow-same-origin")) {
			return true
		}
	}
	return false
}

// permitScript extends every policy of a response as little as possible, so that it
// allows our script and the script's calls to the page's origin. It returns the
// nonce that the tag must have, or "". It uses a nonce of the page if there is one,
// and calls newNonce otherwise. It never adds 'unsafe-inline', and never disables an
// effective 'unsafe-inline' by adding a nonce.
func permitScript(h http.Header, self site, newNonce func() string) (nonce string) {
	needed := false
	for _, key := range policyHeaders {
		for policy := range policies(h[key]) {
			list, ok := scriptSources(policy)
			if !ok || scriptGrant(list, "", self) != grantNonce {
				continue
			}
			needed = true
			if nonce == "" {
				nonce = findNonce(list)
			}
		}
	}
	if needed && nonce == "" {
		nonce = newNonce()
	}
	for _, key := range policyHeaders {
		owned := false // a handler may share the slice
		for i, value := range h[key] {
			extended, changed := extendPolicies(value, nonce, self)
			if changed && !owned {
				h[key], owned = slices.Clone(h[key]), true
			}
			if changed {
				h[key][i] = extended
			}
		}
	}
	return nonce
}

// bindsNonce reports whether permitScript would give the tag a nonce. That is not
// possible with a 304, because the stored page already contains its tag.
func bindsNonce(h http.Header, self site) bool {
	for _, key := range policyHeaders {
		for policy := range policies(h[key]) {
			if list, ok := scriptSources(policy); ok && scriptGrant(list, "", self) == grantNonce {
				return true
			}
		}
	}
	return false
}

// extendPolicies extends each policy in one header value, and reports whether it
// changed any.
func extendPolicies(value, nonce string, self site) (string, bool) {
	if !strings.Contains(value, ",") {
		return extendPolicy(value, nonce, self)
	}
	parts, changed := strings.Split(value, ","), false
	for i, policy := range parts {
		if extended, ok := extendPolicy(policy, nonce, self); ok {
			parts[i], changed = extended, true
		}
	}
	return strings.Join(parts, ","), changed
}

func extendPolicy(policy, nonce string, self site) (string, bool) {
	changed := false
	if list, ok := scriptSources(policy); ok {
		switch scriptGrant(list, nonce, self) {
		case grantNonce:
			policy, changed = addSource(policy, scriptDirective(policy), "script-src", "'nonce-"+nonce+"'"), true
		case grantSelf:
			policy, changed = addSource(policy, scriptDirective(policy), "script-src", "'self'"), true
		}
	}
	name := "connect-src"
	list, ok := directive(policy, name)
	if !ok {
		name = "default-src"
		list, ok = directive(policy, name)
	}
	if ok && !permits(list, self) {
		policy, changed = addSource(policy, name, "connect-src", "'self'"), true
	}
	return policy, changed
}

// addSource adds a source to the directive named from. If from is default-src, it
// instead adds a directive named own with the sources of default-src and the new one.
func addSource(policy, from, own, source string) string {
	parts := strings.Split(policy, ";")
	for i, part := range parts {
		name, list := splitDirective(part)
		if !strings.EqualFold(name, from) {
			continue
		}
		list = withoutNone(list)
		if list != "" {
			list += " "
		}
		if from != "default-src" {
			parts[i] = part[:strings.Index(part, name)] + name + " " + list + source
			return strings.Join(parts, ";")
		}
		// Directives that fall back to script-src, such as worker-src and
		// script-src-attr, find there the sources that they found in default-src.
		return strings.TrimRight(policy, "; \t") + "; " + own + " " + list + source
	}
	return policy
}

// withoutNone removes 'none', which is effective only as the single source.
func withoutNone(list string) string {
	if !hasSource(list, "'none'") {
		return list
	}
	var kept []string
	for source := range strings.FieldsSeq(list) {
		if !strings.EqualFold(source, "'none'") {
			kept = append(kept, source)
		}
	}
	return strings.Join(kept, " ")
}

// scriptDirective returns the name of the directive that applies to script elements,
// or "".
func scriptDirective(policy string) string {
	for _, name := range [...]string{"script-src-elem", "script-src", "default-src"} {
		if _, ok := directive(policy, name); ok {
			return name
		}
	}
	return ""
}

func scriptSources(policy string) (list string, ok bool) {
	name := scriptDirective(policy)
	if name == "" {
		return "", false
	}
	return directive(policy, name)
}

// policies yields every policy in header values, which separate policies by commas.
func policies(values []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range values {
			for policy := range strings.SplitSeq(v, ",") {
				if !yield(policy) {
					return
				}
			}
		}
	}
}

// directive returns the value of a policy's directive. If several have the name, it
// returns the first, as browsers do.
func directive(policy, name string) (value string, ok bool) {
	for policy != "" {
		var part string
		part, policy, _ = strings.Cut(policy, ";")
		if n, v := splitDirective(part); strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

func splitDirective(part string) (name, value string) {
	part = strings.Trim(part, cspSpace)
	if i := strings.IndexAny(part, cspSpace); i >= 0 {
		return part[:i], strings.TrimLeft(part[i:], cspSpace)
	}
	return part, ""
}

const cspSpace = " \t\n\f\r"
