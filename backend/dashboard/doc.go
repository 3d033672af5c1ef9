// Package dashboard is the pages of the session service that people look at.
// Everything is embedded; a page loads nothing from elsewhere.
package dashboard
