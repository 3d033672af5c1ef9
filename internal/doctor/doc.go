// Package doctor looks at a provider's domain from outside, as visitors,
// browsers and cheats do, and says what to mend.
//
//	dns         the name resolves, and to where
//	tls         the certificate is valid for it, and for how long
//	gate        a gate answers on every address, and reaches its session service
//	refusal     without a session, a visitor sees a page and a fetch gets 401
//	websocket   an upgrade without a session is refused, one with a session taken
//	injection   a page of the app carries the clock, or why not
//	policy      the page's content security policies let the clock work
//	origin_lock the app's own server does not serve the world past the gate
//
// It knows HTTP and no configuration, so that the command line and the session
// service can both ask it. What the edge would do with a page it is told by
// [Rules]; whom it may dial, by [Config.Control].
package doctor
