package origin

// nameChars are the characters of the name of a field (RFC 9110, 5.1).
var nameChars = func() (table [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		table[c] = true
	}
	return table
}()

// validName reports whether s is the name of a field, or a method.
func validName(s string) bool {
	for i := range len(s) {
		if !nameChars[s[i]] {
			return false
		}
	}
	return s != ""
}

// validValue reports whether s is the value of a field: without control characters except
// for tabs.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validTarget reports whether s can stand in a request line: without spaces and control
// characters.
func validTarget(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			return false
		}
	}
	return s != ""
}
