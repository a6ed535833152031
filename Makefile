# Everything here is one line over cargo or deploy/. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt bench failures speech fuzz services services-stop image up down

SERVICES := deploy/dev/services.sh
EVERYTHING := --workspace --all-features --locked
SCRIPTS := .ci/run $(wildcard deploy/*.sh deploy/*/*.sh deploy/*/*/*.sh)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The dev profile, because it is built in half the time of the release one and the demo does not wait for the CPU.
demo: ## try it on this machine: nothing to install but Rust and a C compiler, no account, no key
	cargo run --locked -p cli --bin tapedeck -- demo

# Tests mostly wait, for servers and for time to pass: more of them at once than there are cores.
test: export RUST_TEST_THREADS ?= 4
# Built first, so that the servers do not idle through it.
test: ## every test, against a real PostgreSQL and a real RabbitMQ
	cargo test $(EVERYTHING) --no-run
	$(SERVICES) run -- cargo test $(EVERYTHING) --no-fail-fast

lint: ## formatting, clippy with warnings as errors, the house rules
	cargo fmt --all --check
	deploy/dev/sizes.sh
	deploy/dev/proofs.sh
	@if command -v shellcheck; then shellcheck -x $(SCRIPTS); else echo "shellcheck is not installed: scripts not checked"; fi
	cargo clippy $(EVERYTHING) --all-targets -- -D warnings

fmt: ## format everything
	cargo fmt --all

bench: ## measure throughput, latency and memory of the release build; eight minutes once it is built
	cargo build --release --locked -p proof -p cli --bin bench --bin tapedeck
	$(SERVICES) run -- $${CARGO_TARGET_DIR:-target}/release/bench $(ONLY)

# ONLY="kill-9 broker" chooses; `target/debug/failures --list` prints what there is.
failures: ## kill workers, PostgreSQL and RabbitMQ under load, and look for what was lost or done twice
	cargo build $(EVERYTHING) --bin tapedeck --bin failures
	$(SERVICES) run -- cargo run --all-features --locked --bin failures -- $(ONLY)

# ONLY="parcel outage" chooses calls; `--turns` among them prints what was heard. Needs flite, which Debian has.
speech: ## word, speaker and time errors of transcription, on calls whose text is known, by the server at TRANSCRIBE_BASE_URL
	cargo run --all-features --locked -p proof --bin speech -- $(ONLY)

# ONLY="webhook lift" chooses; FUZZ_SECONDS=60 is the time for each.
fuzz: ## feed random bytes to every parser of bytes from outside; needs nightly and cargo-fuzz
	deploy/dev/fuzz.sh $(ONLY)

services: ## start a PostgreSQL and a RabbitMQ for work by hand; prints how to reach them
	@$(SERVICES) start

services-stop: ## stop them
	@$(SERVICES) stop

image: ## build the container image
	docker build -f deploy/Dockerfile -t tapedeck .

up: ## the production shape in containers, with the sandbox in place of the vendors
	docker compose --env-file deploy/compose/sandbox.env up --build --detach --wait

down: ## take the containers down; data volumes stay
	docker compose --env-file deploy/compose/sandbox.env down
