# Everything a newcomer needs: `make demo` and `make test`. All targets build with one profile (dev), so none builds what another has built.
.DEFAULT_GOAL := help
.PHONY: help setup build test demo lint fmt docs contracts fuzz bench clean

ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what this machine lacks (Debian packages; silent when nothing is missing)
	@scripts/setup.sh

# With what tests switch on, so that make test compiles nothing of it again (docs/decisions/002-one-build-profile.md).
build: setup ## Build everything
	cargo build --workspace --features failpoints,played

test: setup ## Run every test (ARGS="..." goes to the test runner)
	@scripts/test.sh $(ARGS)

demo: build ## Play the story of the demo and leave the cluster running (ARGS="--once" stops at its end)
	@scripts/demo.sh $(ARGS)

lint: ## Check formatting, lints, licences and bans
	@scripts/lint.sh

fmt: ## Format every source file
	cargo fmt --all

docs: setup ## Write docs/errors.md from the sources
	NUPEER_WRITE_DOCS=1 cargo test --quiet --package nupeer-cli --test error_numbers

contracts: ## Rebuild the Plutus scripts with Aiken and compare them with the committed ones (ARGS=--write replaces those)
	@scripts/contracts.sh $(ARGS)

fuzz: setup ## Run every fuzz target, five minutes in all (ARGS=SECONDS for another time)
	@scripts/fuzz.sh $(ARGS)

bench: setup ## Measure the product beside its bounds; JSON on standard output (ARGS=--quick: a minute or two, ARGS=--long: the memory figure too)
	@scripts/bench.sh $(ARGS)

clean: ## Remove what was built and what the demo left
	cargo clean
	rm -rf demo
