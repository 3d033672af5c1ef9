package inject

import (
	"net/http"
	"slices"
	"strings"
)

// The two headers with policies. A report-only policy blocks nothing, but would
// report our script on every page, so it is served like the other.
var policyHeaders = [...]string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"}

// scriptless reports a policy that lets no script run at all: a sandbox without
// allow-scripts. (A report-only sandbox is ignored by browsers.)
func scriptless(values []string) bool {
	for policy := range policies(values) {
		if flags, ok := directive(policy, "sandbox"); ok && !hasSource(flags, "allow-scripts") {
			return true
		}
	}
	return false
}

// permitScript makes every policy of a response allow our script and its calls
// home, with the least that does it, and returns the nonce that the tag has to
// carry, if any. A nonce of the page's own is preferred; newNonce makes one only
// where no policy has any. The words 'unsafe-inline' are neither added nor, by
// adding a nonce beside them, switched off.
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
		owned := false // a handler may have set a slice that it shares
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

// bindsNonce reports whether permitScript would give the tag a nonce. On a 304
// that cannot be done: the stored page has its tag already.
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

// extendPolicies extends each policy of one header line.
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

// addSource adds a source to the directive called from. If that is the default,
// the sources go to a directive of their own, called own.
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
		// Directives that fall back through script-src (worker-src, script-src-attr)
		// find the same sources there as they found in default-src.
		return strings.TrimRight(policy, "; \t") + "; " + own + " " + list + source
	}
	return policy
}

// withoutNone drops 'none', which counts only where it stands alone.
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

// scriptDirective names the directive that rules script elements, or is empty.
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

// policies yields every policy of every header line: a comma separates two.
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

// directive finds a policy's directive; of several with a name the first counts.
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
