// Package api is the HTTP API of the session service: routes, callers, errors as
// problems, and the OpenAPI document. It decides nothing that package service
// could decide, and never reaches the database.
package api
