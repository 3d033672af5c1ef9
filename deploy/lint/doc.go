// Package lint checks the files that others' programs read: manifests, units,
// the image's recipe, workflows. It is a module of its own, so that the product's
// build never sees the libraries of Kubernetes, Compose and Docker.
package lint
