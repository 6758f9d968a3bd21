# `make help` lists the targets.
.DEFAULT_GOAL := help
CARGO ?= cargo
# nextest where it is installed: same tests, better isolation and a clearer report.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
AGENT := target/release/proxysql-agent
# What the static binary is built for. A release is for musl; this one is there where Rust is.
STATIC ?= x86_64-unknown-linux-gnu
FLEET := target/release/proxysql-fleet
# What the demonstration runs: as the tests do, both in one build.
DEBUG := target/debug

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-8s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build the release binary, target/release/proxysql-agent
	$(CARGO) build --release --locked

.PHONY: static
static: ## Build the static binary, target/$(STATIC)/release/proxysql-agent
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --release --locked --target $(STATIC)

.PHONY: run
run: build ## Run the agent; options in ARGS="--run_mode=core"
	$(AGENT) $(ARGS)

.PHONY: fleet
fleet: build
	$(CARGO) build --release --locked -p proxysql-fleet

.PHONY: demo
demo: ## See the agent keep a cluster of five nodes together, on loopback
	$(CARGO) build --locked -p proxysql-agent -p proxysql-fleet
	$(DEBUG)/proxysql-fleet demo --agent $(DEBUG)/proxysql-agent

.PHONY: test
test: ## Run every test
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --locked
	$(CARGO) test --workspace --locked --doc
else
	$(CARGO) test --workspace --locked
endif

.PHONY: lint
lint: ## Formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: doc
doc: ## Build the documentation of the code; warnings are errors
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --workspace --no-deps --document-private-items --locked

.PHONY: check
check: lint doc ## Lints, documentation, layering; supply chain and Dockerfile if cargo-deny and hadolint are installed
	$(CARGO) test --locked --test it architecture
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --all-features check bans licenses sources; \
	else echo 'cargo-deny is not installed: supply chain not checked'; fi
	@if hadolint --version >/dev/null 2>&1; then hadolint build/Dockerfile; \
	else echo 'hadolint is not installed: Dockerfile not linted'; fi

.PHONY: bench
bench: fleet ## Measure the agent against its budgets
	$(FLEET) bench --agent $(AGENT)
