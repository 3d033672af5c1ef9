// Package inject adds one script tag to HTML documents while they stream by,
// at a cost that does not grow with the page. It knows net/http and nothing of
// Caddy, so that it can be fuzzed and measured alone.
//
//	request ──► Wrap: is it a navigation? ask for gzip or nothing, strip Range,
//	            keep only validators that carry our ETag suffix
//	                │
//	WriteHeader ──► eligible by header? ──── no ──► pass: counted by reason
//	                │ yes: hold header and body
//	Write ────────► scan the prelude (BOM, space, comments, doctype, <html>, <head>)
//	                │
//	                ├─ identity ──► bytes up to the place, tag, the rest untouched
//	                ├─ gzip ──────► own header, stored block with a copy of the prelude
//	                │               and the tag, the origin's deflate bits untouched,
//	                │               all but the last 8 bytes forwarded
//	                ├─ gzip, but exact, pinned or with a BOM ──► decode, insert, encode
//	                └─ no place ──► pass: counted by reason
//	Close ────────► patch CRC-32 and ISIZE in the 8 bytes that were kept back
//	Abort ────────► let the 8 bytes go as they came, so that no cut page looks whole
//
// The script is classic and not async: it must run before any framework
// hydrates. A policy in a <meta http-equiv="Content-Security-Policy"> starts to
// apply where the parser meets it, which is after our tag, so only policies in
// headers are read and extended here. It does bind what the script loads later.
//
// Pages of 4 GiB and more cannot be prefixed soundly, because gzip's trailer
// keeps a page's size modulo 2^32; decoders will report a wrong checksum.
package inject
