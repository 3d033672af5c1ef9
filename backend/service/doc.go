// Package service holds the use cases of the session service, its background
// loops, sign-in and rate limits. It knows no HTTP server: package api calls it,
// and turns its errors into answers.
package service
