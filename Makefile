SHELL := /bin/bash
GO ?= go

# The text after ## is what `make help` prints.
.DEFAULT_GOAL := help
.PHONY: help run test check lint prose audit fuzz test-long build sdk dashboard bench bench-scale docs release hooks clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## start the demo: marketplace, gate, session service and sample apps; ARGS="…" for its options
	@bin/sessiongate demo $(ARGS)

test: ## install what the tests need, then run all of them
	@.ci/test

check: ## run the quick tests, which need Go alone
	@.ci/check

lint: ## run golangci-lint on all Go modules
	@.ci/lint

prose: ## check the spelling and the wording of documentation and comments
	@.ci/prose

audit: ## look for known vulnerabilities in the dependencies; asks two public databases
	@.ci/audit

fuzz: ## run each fuzz target for FUZZ_TIME (default 1m), with what is committed as seeds
	@.ci/fuzz $(FUZZ_TIME)

build: ## build bin/sessiongate
	GOWORK=off $(GO) build -trimpath -o bin/sessiongate ./cmd/sessiongate

sdk: ## rebuild sdk-inject/dist, which is committed
	cd sdk-inject && npm ci && npm run build

dashboard: ## rebuild backend/dashboard/static, which is committed
	cd backend/dashboard/app && npm ci && npm run build

docs: ## build the documentation's site in docs/.vitepress/dist
	cd docs && npm ci --no-audit --no-fund && npm run build

bench: build ## measure, and print the figures; ARGS=-short to try something
	cd bench/edge/workerd && npm ci --no-audit --no-fund
	$(GO) run ./bench/edge $(ARGS)
	cd e2e && npm ci --no-audit --no-fund && node ../bench/dashboard/measure.mjs ../bin/sessiongate
	cd sdk-inject && npm ci --no-audit --no-fund && node ../bench/sdk/tasks.mjs
	$(GO) test -run '^$$' -bench . -benchtime 3s ./bench/backend
	$(GO) test -run '^$$' -bench Decide ./caddymodule/live
	$(GO) test -run '^$$' -bench MillionSessions -benchtime 1x ./caddymodule/live

bench-scale: build ## measure what one edge and one service carry, in minutes; ARGS=-short to try it
	$(GO) run ./bench/scale $(ARGS)

test-long: build ## kill the session service fifty times on each database, under load
	SESSIONGATE_BIN=$(CURDIR)/bin/sessiongate SESSIONGATE_KILL_ROUNDS=50 $(GO) test -count=1 -timeout 15m -run TestKilledUnderLoad ./e2e

release: ## build programs, checksums and SBOMs in build/release; VERSION=v1.2.3
	@.ci/release $(VERSION)

hooks: ## check each commit before it is made (.githooks)
	git config core.hooksPath .githooks

clean: ## remove what was built
	rm -rf bin
