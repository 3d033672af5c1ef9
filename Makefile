# The two commands of the README are `make run` and `make test`.
#
#   make run     the demo: marketplace, gate, session service and sample app
#   make test    installs what the tests need, then runs all of them
#   make build   bin/sessiongate
#   make sdk     rebuilds sdk-inject/dist, which is committed
#   make dashboard  rebuilds the dashboard in backend/dashboard/static, which is committed
#   make test-long  kills the session service a hundred times under load
#   make check   the quick part: formatting, vet, unit tests of Go
#   make bench   measures, and prints what it measured
#   make docs    builds the documentation's site into docs/.vitepress/dist
#   make release VERSION=v1.2.3  programs, checksums and SBOMs in build/release

SHELL := /bin/bash
GO ?= go

.PHONY: run test test-long build sdk dashboard check bench docs release clean

run: build
	@bin/sessiongate demo $(ARGS)

build:
	$(GO) build -trimpath -o bin/sessiongate ./cmd/sessiongate

test:
	@.ci/test

sdk:
	cd sdk-inject && npm ci && npm run build

dashboard:
	cd backend/dashboard/app && npm ci && npm run build

check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "gofmt would change these"; exit 1; }
	$(GO) vet ./...
	$(GO) test $$($(GO) list ./... | grep -v /e2e)

bench: build
	cd bench/edge/workerd && npm ci --no-audit --no-fund
	$(GO) run ./bench/edge
	cd e2e && npm ci --no-audit --no-fund && node ../bench/dashboard/measure.mjs ../bin/sessiongate
	$(GO) test -run '^$$' -bench . -benchtime 3s ./bench/backend
	$(GO) test -run '^$$' -bench Decide ./caddymodule/live
	$(GO) test -run '^$$' -bench MillionSessions -benchtime 1x ./caddymodule/live

# The session service killed fifty times on each database, under load.
test-long: build
	SESSIONGATE_BIN=$(CURDIR)/bin/sessiongate SESSIONGATE_KILL_ROUNDS=50 $(GO) test -count=1 -timeout 15m -run TestKilledUnderLoad ./e2e

docs:
	cd docs && npm ci --no-audit --no-fund && npm run build

release:
	@.ci/release $(VERSION)

clean:
	rm -rf bin
