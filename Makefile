# `make` lists the targets. Each recipe is one strict shell: the first command that fails ends it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory --warn-undefined-variables

# How long `make fuzz` gives to each target.
FUZZTIME ?= 30s
# A file for the closing lines of `make test`, where they are wanted once more.
SUMMARY ?=

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## Build bin/latchkey: static, with the version that git knows
	CGO_ENABLED=0 go build -buildvcs=auto -trimpath -ldflags '-s -w' -o bin/latchkey .
	bin/latchkey version

.PHONY: test
test: ## Run every test that can run on this machine, and say at the end what was skipped
	@{
		status=0
		go test -json -race -timeout 30m ./... || status=$$?
		go test -C examples/orders -json -race ./... || status=$$?
		e2e/run || status=$$?
		exit $$status
	} | go run ./internal/testsum -summary '$(SUMMARY)'

.PHONY: lint
lint: ## Run golangci-lint
	@linter=$$(go tool -modfile=tools/lint/go.mod -n golangci-lint)
	$$linter run
	cd examples/orders
	$$linter run --config ../../.golangci.yml

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@for package in $$(go list ./...); do
		names=$$(go test -list '^Fuzz' "$$package")
		for name in $$names; do
			[[ $$name == Fuzz* ]] || continue
			echo "$$package $$name"
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime '$(FUZZTIME)' "$$package"
		done
	done

.PHONY: generate
generate: ## Write anew what is made from the schema, the settings and the error table
	go generate ./...
	go -C examples/orders generate ./...
	go test -run 'IsPrintedFromTheTable|TheSchemaIs' ./app ./auth ./config ./fault ./cli -update

.PHONY: graphiql
graphiql: ## Build the GraphiQL page that is embedded (needs Node.js)
	cd web/graphiql
	npm ci
	npm run build

.PHONY: client
client: ## Write the types of the schema that @latchkey/client exports (needs Node.js)
	@cd clients/typescript/codegen
	npm ci
	npm run generate

.PHONY: compare
compare: ## Tell what the schema changes since the last release, and fail on what breaks clients (needs Node.js)
	@cd tools/schema
	[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci
	node compare.mjs

.PHONY: verify
verify: ## Check that what is generated, and what go.mod lists, is up to date
	@work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	# A git tree of all files as they are, committed or not, kept out of the repository.
	snapshot() {
		GIT_INDEX_FILE=$$work/index GIT_OBJECT_DIRECTORY=$$work GIT_ALTERNATE_OBJECT_DIRECTORIES=$$objects \
			bash -euc 'git add --all && git write-tree'
	}
	objects=$$(realpath "$$(git rev-parse --git-path objects)")
	before=$$(snapshot)
	$(MAKE) generate
	if command -v npm >/dev/null; then
		$(MAKE) graphiql client
	elif [ -n "$${CI:-}" ]; then
		echo 'verify: npm is not installed' >&2
		exit 1
	else
		echo 'verify: not checked are web/dist, clients/typescript/src/schema.ts and what the schema breaks, since npm is not installed' >&2
	fi
	after=$$(snapshot)
	GIT_OBJECT_DIRECTORY=$$work GIT_ALTERNATE_OBJECT_DIRECTORIES=$$objects git --no-pager diff --exit-code "$$before" "$$after" ||
		{ echo 'verify: the files above were not up to date; they are now' >&2; exit 1; }
	for module in . examples/orders tools/lint; do
		go -C "$$module" mod tidy -diff
		# A module that is replaced by a folder has no sum to verify.
		[ "$$module" = examples/orders ] || go -C "$$module" mod verify
	done
	if command -v npm >/dev/null; then
		$(MAKE) compare
	else
		echo 'verify: not compared is the schema with that of the last release, since npm is not installed' >&2
	fi

.PHONY: load
load: build ## Measure what requests cost the server, beside a bare net/http handler
	go -C benchmarks/load build -o ../../bin/load .
	bin/load -latchkey bin/latchkey

.PHONY: storm
storm: build ## Measure guarded requests while 64, then 2,000 clients sign in without a pause
	go -C benchmarks/load build -o ../../bin/load .
	bin/load -latchkey bin/latchkey -storm 64
	bin/load -latchkey bin/latchkey -storm 2000
